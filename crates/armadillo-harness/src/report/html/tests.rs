use super::super::model::Model;
use super::super::sample;
use super::write;
use crate::event::EventKind;

fn page(events: &[crate::event::Event]) -> String {
    let mut model = Model::default();
    for event in events {
        model.on(event);
    }
    let mut page = Vec::new();
    write(&model, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page
        .split_once(r#"<script type="application/json" id="data">"#)
        .unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn nothing_of_a_run_is_read_as_html() {
    let mut events = sample::run();
    let evil =
        "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> {{data}} \u{2028}";
    for event in &mut events {
        match &mut event.kind {
            EventKind::RunStarted(started) => {
                started.args = vec![evil.to_owned()];
                started.tests[0].test = evil.to_owned();
            }
            EventKind::Warning { text } => *text = evil.to_owned(),
            EventKind::TestFinished(finished) => finished.output.text = evil.to_owned(),
            _ => {}
        }
    }
    let clean = page(&sample::run());
    let page = page(&events);
    assert_eq!(
        page.matches("<script").count(),
        clean.matches("<script").count()
    );
    assert_eq!(
        page.matches("</script").count(),
        clean.matches("</script").count()
    );
    assert!(!page.contains("<img"));
    let data = data(&page);
    assert_eq!(data["run"]["args"][0], evil);
    assert_eq!(data["tests"][0]["name"], evil);
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = page(&sample::run());
    let scripts_and_style: String = super::SCRIPTS.concat() + super::STYLE + super::TEMPLATE;
    for word in [
        "http:",
        "https:",
        "@import",
        "url(",
        "fetch(",
        "XMLHttpRequest",
        "innerHTML",
        "insertAdjacentHTML",
        "eval(",
    ] {
        let found = scripts_and_style.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
    let size = super::SCRIPTS.concat().len() + super::STYLE.len() + super::TEMPLATE.len();
    assert!(size < 110_000, "{size} bytes of scripts and style");
}

#[test]
fn every_test_of_the_run_is_in_it_once() {
    let data = data(&page(&sample::run()));
    let tests = data["tests"].as_array().unwrap();
    let of = |status: &str| -> Vec<&str> {
        let some = tests.iter().filter(|test| test["status"] == status);
        some.map(|test| test["name"].as_str().unwrap()).collect()
    };
    assert_eq!(of("passed"), ["adds", "net::reads"]);
    assert_eq!(of("flaky"), ["net::writes"]);
    assert_eq!(of("skipped"), ["net::skips"]);
    assert_eq!(of("ignored"), ["net::lasts", "broken"]);
    assert_eq!(of("not_run"), ["never"]);
    assert_eq!(of("inconclusive"), ["net::doubts"]);
    assert_eq!(of("failed").len(), 6);
    assert_eq!(tests.len(), 14);
    let writes = tests
        .iter()
        .find(|test| test["name"] == "net::writes")
        .unwrap();
    assert_eq!(writes["attempts"].as_array().unwrap().len(), 2);
    assert!(
        writes["again"]
            .as_str()
            .unwrap()
            .contains("--exact net::writes")
    );
    assert_eq!(writes["attempts"][0]["files"], "tests/net::writes");
    let missing = data["missing"].to_string();
    assert!(missing.contains("1 tests that did not run"), "{missing}");
}

#[test]
fn a_trace_has_named_lanes_and_no_overlap_on_any() {
    let mut model = Model::default();
    for event in &sample::run() {
        model.on(event);
    }
    let mut text = Vec::new();
    super::write_trace(&model, &mut text).unwrap();
    let trace: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let mut spans: std::collections::BTreeMap<(u64, u64), Vec<(u64, u64)>> = Default::default();
    let mut named = std::collections::BTreeSet::new();
    for event in events {
        let lane = (
            event["pid"].as_u64().unwrap(),
            event["tid"].as_u64().unwrap(),
        );
        let ts = event["ts"].as_u64().unwrap();
        match event["ph"].as_str().unwrap() {
            "X" => (spans.entry(lane).or_default()).push((ts, ts + event["dur"].as_u64().unwrap())),
            "M" => {
                named.insert(lane);
            }
            "i" => assert_eq!(event["s"], "t"),
            other => assert_eq!(other, "C"),
        }
    }
    assert!(
        spans.values().map(Vec::len).sum::<usize>() >= 14,
        "{spans:?}"
    );
    for (lane, mut all) in spans {
        assert!(named.contains(&lane), "{lane:?} has no name");
        all.sort_unstable();
        assert!(
            all.windows(2).all(|two| two[0].1 <= two[1].0),
            "{lane:?}: {all:?}"
        );
    }
}
