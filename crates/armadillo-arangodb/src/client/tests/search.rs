//! Views and analyzers: against recorded answers, and what is asked for.

use super::queries::{all_of, db, lines};
use super::*;

#[test]
fn views_are_made_read_changed_and_dropped() {
    let dropped = answer(200, r#"{"error":false,"code":200,"result":true}"#);
    let answers = [
        all_of("view-search-alias-created"),
        all_of("view-search-alias"),
        all_of("view-arangosearch"),
        all_of("view-updated"),
        all_of("view-updated"),
        all_of("view-renamed"),
        all_of("views"),
        vec![dropped],
    ];
    let (read, seen) = run(answers.concat(), async |view| {
        let db = db(&view);
        let alias = NewView::search_alias(&[("books", "inv-idx")]);
        let alias = db.create_view("products", &alias).await?;
        let alias = alias.properties().await?;
        let view = db.view("products/2");
        let whole = view.properties().await?;
        let changes = json!({"cleanupIntervalStep": 12, "links": {"products": null}});
        let changed = view.update(&changes).await?;
        view.replace(&changes).await?;
        let view = view.rename("catalog").await?;
        let all = db.views().await?;
        view.drop().await?;
        Ok::<_, ArangoError>((alias, whole, changed, all))
    });
    let (alias, whole, changed, all) = read.unwrap();
    assert_eq!(
        (alias.kind.as_str(), alias.id.as_str()),
        ("search-alias", "75218")
    );
    assert_eq!(alias.more["indexes"][0]["index"], "inv-idx");
    assert_eq!(
        whole.more["links"]["books"]["fields"]["title"]["analyzers"],
        json!(["text_en"])
    );
    assert_eq!(changed.more["cleanupIntervalStep"], 12);
    let names: Vec<&str> = all.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["demoView", "productsView", "reviewsView"]);
    assert_eq!(
        lines(&seen),
        [
            "POST /_db/db/_api/view",
            "GET /_db/db/_api/view/products/properties",
            "GET /_db/db/_api/view/products%2F2/properties",
            "PATCH /_db/db/_api/view/products%2F2/properties",
            "PUT /_db/db/_api/view/products%2F2/properties",
            "PUT /_db/db/_api/view/products%2F2/rename",
            "GET /_db/db/_api/view",
            "DELETE /_db/db/_api/view/catalog",
        ]
    );
    assert_eq!(
        seen[0].body,
        json!({"name": "products", "type": "search-alias", "indexes": [{"collection": "books", "index": "inv-idx"}]})
    );
    assert_eq!(
        seen[3].body,
        json!({"cleanupIntervalStep": 12, "links": {"products": null}})
    );
    assert_eq!(seen[3].body, seen[4].body);
    assert_eq!(seen[5].body, json!({"name": "catalog"}));
    let links = json!({"books": {"includeAllFields": true}});
    let definition = NewView::arangosearch(links.clone()).with("writebufferIdle", 32);
    assert_eq!(
        serde_json::to_value(definition).unwrap(),
        json!({"type": "arangosearch", "links": links, "writebufferIdle": 32})
    );
}

#[test]
fn analyzers_are_made_read_and_dropped() {
    let (_, made) = recorded("analyzer", 0);
    let missing = r#"{"error":true,"code":404,"errorNum":1202,"errorMessage":"unable to find analyzer: db::none"}"#;
    let dropped = r#"{"error":false,"code":200,"name":"_system::testAnalyzer"}"#;
    let answers = [
        vec![answer(201, &made.text())],
        all_of("analyzer"),
        vec![answer(404, missing)],
        all_of("analyzers"),
        vec![answer(200, dropped)],
    ];
    let (read, seen) = run(answers.concat(), async |view| {
        let db = db(&view);
        let mine = Analyzer::new("testAnalyzer", "identity", json!({}));
        let made = db.create_analyzer(&mine.features(&["norm"])).await?;
        let read = db.analyzer("testAnalyzer").await?;
        let none = db.analyzer("none/of it").await?;
        let all = db.analyzers().await?;
        db.drop_analyzer(made.short_name(), false).await?;
        Ok::<_, ArangoError>((made, read, none, all))
    });
    let (made, read, none, all) = read.unwrap();
    assert_eq!(
        (made.name.as_str(), made.short_name()),
        ("_system::testAnalyzer", "testAnalyzer")
    );
    assert_eq!((read.as_ref(), none), (Some(&made), None));
    assert!(!made.is_built_in());
    let english = all
        .iter()
        .find(|analyzer| analyzer.name == "text_en")
        .unwrap();
    assert!(english.is_built_in() && english.short_name() == "text_en");
    assert_eq!(english.properties["locale"], "en");
    assert_eq!(english.features, ["frequency", "position", "norm"]);
    assert_eq!(
        lines(&seen),
        [
            "POST /_db/db/_api/analyzer",
            "GET /_db/db/_api/analyzer/testAnalyzer",
            "GET /_db/db/_api/analyzer/none%2Fof%20it",
            "GET /_db/db/_api/analyzer",
            "DELETE /_db/db/_api/analyzer/testAnalyzer?force=false",
        ]
    );
    let expected =
        json!({"name": "testAnalyzer", "type": "identity", "properties": {}, "features": ["norm"]});
    assert_eq!(seen[0].body, expected);
}

#[test]
fn refusals_have_their_numbers() {
    let refusal = |status: u16, number: u32, text: &str| {
        let body = json!({"error": true, "code": status, "errorNum": number, "errorMessage": text});
        answer(status, &body.to_string())
    };
    let stand_in = "the emulator: not in the stand-in: use --arangod PATH or --attach-arangodb URL; mark the test requires(real)";
    let answers = vec![
        refusal(409, 1200, "analyzer in-use"),
        refusal(400, 10, "name collision"),
        refusal(501, 1470, "unsupported operation or parameter for clusters"),
        refusal(404, 1203, "collection or view not found"),
        refusal(501, 501, stand_in),
    ];
    let (errors, _) = run(answers, async |view| {
        let db = db(&view);
        [
            db.drop_analyzer("used", false).await.unwrap_err(),
            db.create_analyzer(&Analyzer::new("taken", "identity", json!({})))
                .await
                .unwrap_err(),
            db.view("v").rename("w").await.unwrap_err(),
            db.view("v").update(&json!({})).await.unwrap_err(),
            db.create_view("v", &NewView::arangosearch(json!({})))
                .await
                .unwrap_err(),
        ]
    });
    let told = errors
        .each_ref()
        .map(|error| (error.status(), error.number()));
    let expected = [(409, 1200), (400, 10), (501, 1470), (404, 1203), (501, 501)];
    assert_eq!(
        told,
        expected.map(|(status, number)| (Some(status), Some(number)))
    );
    assert!(errors[4].is_not_implemented());
    let told = errors[4].to_string();
    assert!(told.contains(stand_in), "{told}");
    assert!(errors.iter().all(|error| !error.outcome_unknown()));
}
