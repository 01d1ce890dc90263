//! What one transaction cannot say at once.

use super::*;

/// What becomes of a transaction with nobody there whom it could be sent to.
fn refused(transaction: Transaction) -> String {
    let (error, _) = run_as(view("refused"), vec![], async |view| {
        let agency = Agency::new(&view);
        let queries = [Query::Write(transaction.clone())];
        let error = agency.transact(&queries).await.unwrap_err();
        assert!(matches!(error, AgencyError::Conflict(_)), "{error}");
        agency.write(&transaction).await.unwrap_err()
    });
    assert!(matches!(error, AgencyError::Conflict(_)), "{error}");
    assert!(!error.outcome_unknown());
    error.to_string()
}

#[test]
fn what_a_transaction_says_twice_of_one_key_is_refused_before_it_is_sent() {
    let t = Transaction::new;
    let of_one_kind = [
        (
            Precondition::Contains("a".into()),
            Precondition::Contains("b".into()),
            "\"in\"",
        ),
        (Precondition::Empty, Precondition::Present, "\"oldEmpty\""),
        (
            Precondition::IsArray(true),
            Precondition::IsArray(false),
            "\"isArray\"",
        ),
    ];
    for (first, second, kind) in of_one_kind {
        let text = refused(t().set("/x", 1).when("/k", first).when("//k/", second));
        assert!(text.contains(kind) && text.contains("on /k in"), "{text}");
    }
    let twice = [
        t().increment("n", 1).increment("n", 1),
        t().set("/n", 1).delete("n/"),
        t().push("n", 1).push("//n", 1).set("n", 1),
    ];
    for transaction in twice {
        let text = refused(transaction);
        assert!(text.contains("two operations on /n in"), "{text}");
    }
    assert!(serde_json::to_value(t().pop("n").pop("n")).is_err());
}

#[test]
fn what_a_transaction_may_say_of_one_key_is_said_once() {
    let transaction = Transaction::new()
        .set("//k//l/", 1)
        .when("k/l", Precondition::Contains("a".into()))
        .when("/k/l", Precondition::Contains("a".into()))
        .when("k/l/", Precondition::IntersectionEmpty(vec!["b".into()]))
        .when("/k", Precondition::Present);
    assert_eq!(transaction.conflict(), None);
    assert_eq!(
        json!(transaction),
        json!([
            {"/k/l": {"op": "set", "new": 1}},
            {"/k/l": {"in": "a", "intersectionEmpty": ["b"]}, "/k": {"oldEmpty": false}},
        ])
    );
}
