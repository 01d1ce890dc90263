//! Data that is loaded once, however many tests read it, in however many processes: fixtures kept per deployment.
//!
//! The first test that asks makes such a fixture, the others wait for it, and every process gets a copy by way of its
//! serialised form. What it creates belongs to the deployment: `cx.unique_name(..)` carries the deployment's id there, and
//! nobody removes it after a test.

use armadillo::etcd::EtcdError;
use armadillo::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const ARTICLES: u64 = 500;

/// A database with five hundred articles. A rule in `armadillo.toml` adds the marker `inventory` to every test that uses it.
#[derive(Serialize, Deserialize)]
struct Catalogue {
    database: String,
    loaded_by: String,
}

#[armadillo::fixture(per = "deployment")]
async fn catalogue(client: ArangoClient, cx: TestContext) -> TestResult<Catalogue> {
    let name = cx.unique_name("catalogue");
    let database = client.create_database(&name).await?;
    let loads = database.create_collection("loads").await?;
    loads.insert(&json!({ "by": cx.name() })).await?;
    let articles = database.create_collection("articles").await?;
    let documents: Vec<Value> = (0..ARTICLES)
        .map(|number| json!({ "_key": format!("article-{number}"), "cents": number }))
        .collect();
    for answer in articles.insert_many(&documents).await? {
        answer?;
    }
    Ok(Catalogue {
        database: name,
        loaded_by: cx.name().to_owned(),
    })
}

impl Catalogue {
    fn articles(&self, client: &ArangoClient) -> Collection {
        client.database(&self.database).collection("articles")
    }
}

#[armadillo::test]
async fn every_article_has_its_price(catalogue: &Catalogue, client: ArangoClient) -> TestResult {
    let articles = catalogue.articles(&client);
    for number in [0, 17, ARTICLES - 1] {
        let key = format!("article-{number}");
        let article: Value = articles.get(&key).await?.ok_or(key)?;
        assert_eq!(article["cents"], number);
    }
    Ok(())
}

#[armadillo::test]
async fn the_catalogue_is_complete(catalogue: &Catalogue, client: ArangoClient) -> TestResult {
    let articles = catalogue.articles(&client);
    assert_eq!(articles.count().await?, ARTICLES);
    let beyond: Option<Value> = articles.get(&format!("article-{ARTICLES}")).await?;
    assert_eq!(beyond, None);
    Ok(())
}

/// The proof, from the server: it has one catalogue, which one test has loaded, whichever of these was first.
#[armadillo::test(cases(first(0), middle(250), last(499)))]
async fn the_catalogue_was_loaded_once(
    catalogue: &Catalogue,
    client: ArangoClient,
    #[case] number: u64,
) -> TestResult {
    let mut databases = client.databases().await?;
    databases.retain(|name| name.starts_with("catalogue_"));
    assert_eq!(databases, [catalogue.database.as_str()]);
    let loads = client.database(&catalogue.database).collection("loads");
    assert_eq!(loads.count().await?, 1);
    let key = format!("article-{number}");
    let article: Option<Value> = catalogue.articles(&client).get(&key).await?;
    assert!(article.is_some(), "{key}");
    assert!(
        catalogue.loaded_by.starts_with("loaded_once::"),
        "{}",
        catalogue.loaded_by
    );
    Ok(())
}

/// The same on etcd, which counts how often a key was written.
#[derive(Serialize, Deserialize)]
struct Regions(Vec<String>);

#[armadillo::fixture(per = "deployment")]
async fn regions(cluster: &Etcd) -> Result<Regions, EtcdError> {
    let client = cluster.client().for_deployment();
    let names = ["north", "south", "west"];
    for name in names {
        client.put(&format!("regions/{name}"), "open").await?;
    }
    Ok(Regions(names.map(str::to_owned).to_vec()))
}

#[armadillo::test]
async fn each_region_was_written_once(regions: &Regions, client: EtcdClient) -> TestResult {
    let found = client.for_deployment().list("regions/").await?;
    let names: Vec<_> = found
        .iter()
        .map(|kv| kv.key.replace("regions/", ""))
        .collect();
    assert_eq!(names, regions.0);
    assert!(found.iter().all(|kv| kv.version == 1), "{found:?}");
    Ok(())
}

#[armadillo::test]
async fn a_test_does_not_see_the_keys_of_the_deployment(
    regions: &Regions,
    client: &EtcdClient,
) -> TestResult {
    assert_eq!(regions.0.len(), 3);
    let (keys, count) = client.list_keys("", 10).await?;
    assert_eq!((keys.len(), count), (0, 0), "{keys:?}");
    Ok(())
}
