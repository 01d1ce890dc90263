//! The users, kept as documents of `_users` in the shape arangod gives them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::jwt::password_hash;
use super::right::Right;
use crate::errors::ApiError;
use crate::store::{Change, Expected, Mode, SYSTEM, Store, attributes};

const HOW: Change = Change {
    mode: Mode::Conflict,
    keep_null: true,
    merge_objects: true,
    version_attribute: None,
    return_new: false,
    return_old: false,
};

/// What a user may do in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    /// In the database; nothing if only collections were granted.
    pub(crate) database: Option<Right>,
    /// In collections by name, or in all of them by `*`.
    pub(crate) collections: BTreeMap<String, Right>,
}

/// A user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// The key of the document, if it is stored.
    key: Option<String>,
    pub(crate) name: String,
    pub(crate) active: bool,
    pub(crate) extra: Value,
    salt: String,
    hash: String,
    /// By database, or for all by `*`.
    pub(crate) databases: BTreeMap<String, Grants>,
}

impl User {
    /// A new user without rights.
    pub(crate) fn new(name: &str, password: &str) -> Result<Self, ApiError> {
        let mut user = Self {
            key: None,
            name: String::from(name),
            active: true,
            extra: json!({}),
            salt: String::new(),
            hash: String::new(),
            databases: BTreeMap::new(),
        };
        user.set_password(password)?;
        Ok(user)
    }

    /// Changes the password.
    pub(crate) fn set_password(&mut self, password: &str) -> Result<(), ApiError> {
        self.salt = crate::system::hex(&crate::system::random::<8>().map_err(ApiError::storage)?);
        self.hash = password_hash(&self.salt, password)
            .ok_or_else(|| ApiError::storage("the password cannot be hashed"))?;
        Ok(())
    }

    /// Whether this is the user's password, and the user is active.
    pub(crate) fn opens_with(&self, password: &str) -> bool {
        self.active && password_hash(&self.salt, password).is_some_and(|hash| hash == self.hash)
    }

    fn granted(&self, database: &str) -> Option<Right> {
        self.databases.get(database)?.database
    }

    /// The right on a database: the explicit one, or the greater of those on `*` and `_system`
    /// (`Auth/User.cpp` of arangodb/arangodb).
    pub(crate) fn database_right(&self, database: &str) -> Right {
        let elsewhere = match database {
            "*" => None,
            _ => self.granted("*").max(self.granted(SYSTEM)),
        };
        self.granted(database).or(elsewhere).unwrap_or(Right::None)
    }

    /// The right on a collection: its own grant, which may also take away; without one, the greatest
    /// of those on all collections and on databases. Nobody has any on `_users`: it has an API of
    /// its own.
    pub(crate) fn collection_right(&self, database: &str, collection: &str) -> Right {
        match collection {
            "_users" if database == SYSTEM => return Right::None,
            "_queues" => return Right::Ro,
            "_frontend" => return Right::Rw,
            _ if collection.starts_with('_') => return self.database_right(database),
            _ => {}
        }
        let on = |database: &str, collection: &str| {
            let grants = self.databases.get(database)?;
            grants.collections.get(collection).copied()
        };
        let general = [
            self.granted(database),
            on(database, "*"),
            self.granted(SYSTEM),
            self.granted("*"),
            on("*", "*"),
        ];
        on(database, collection)
            .or(general.into_iter().max().flatten())
            .unwrap_or(Right::None)
    }

    fn to_document(&self) -> Map<String, Value> {
        let databases: Map<String, Value> = self
            .databases
            .iter()
            .map(|(name, grants)| {
                let collections: Map<String, Value> = grants
                    .collections
                    .iter()
                    .map(|(name, right)| (name.clone(), permissions(Some(*right))))
                    .collect();
                let mut entry = permissions(grants.database);
                entry["collections"] = Value::Object(collections);
                (name.clone(), entry)
            })
            .collect();
        let document = json!({
            "user": self.name,
            "source": "LOCAL",
            "authData": {
                "active": self.active,
                "simple": { "hash": self.hash, "salt": self.salt, "method": "hmac-sha256" },
            },
            "userData": self.extra,
            "databases": databases,
        });
        attributes(document).unwrap_or_default()
    }

    fn from_document(key: &str, document: &Value) -> Option<Self> {
        let simple = &document["authData"]["simple"];
        let databases = document["databases"]
            .as_object()?
            .iter()
            .map(|(name, entry)| {
                let collections = entry["collections"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter_map(|(name, entry)| Some((name.clone(), right_of(entry)?)))
                    .collect();
                let grants = Grants {
                    database: right_of(entry),
                    collections,
                };
                (name.clone(), grants)
            })
            .collect();
        Some(Self {
            key: Some(String::from(key)),
            name: String::from(document["user"].as_str()?),
            active: document["authData"]["active"].as_bool()?,
            extra: document["userData"].clone(),
            salt: String::from(simple["salt"].as_str()?),
            hash: String::from(simple["hash"].as_str()?),
            databases,
        })
    }
}

fn permissions(right: Option<Right>) -> Value {
    json!({
        "permissions": {
            "read": right.is_some_and(|right| right >= Right::Ro),
            "write": right == Some(Right::Rw),
            "undefined": right.is_none(),
        }
    })
}

fn right_of(entry: &Value) -> Option<Right> {
    let permissions = entry.get("permissions")?;
    let set = |name: &str| permissions[name].as_bool().unwrap_or(false);
    match (set("undefined"), set("read"), set("write")) {
        (true, _, _) => None,
        (_, _, true) => Some(Right::Rw),
        (_, true, _) => Some(Right::Ro),
        _ => Some(Right::None),
    }
}

/// All users in the order of their documents.
pub(crate) fn all(store: &Store) -> Vec<User> {
    let Ok(users) = store.collection(SYSTEM, "_users") else {
        return Vec::new();
    };
    users
        .documents
        .iter()
        .filter_map(|(key, document)| {
            User::from_document(key, &serde_json::from_str(&document.body).ok()?)
        })
        .collect()
}

thread_local! {
    /// Under which key a user was found last. Every request looks for a user, and there may be many.
    static KEYS: RefCell<HashMap<String, String>> = RefCell::default();
}

/// A user by name.
pub(crate) fn find(store: &Store, name: &str) -> Option<User> {
    let users = store.collection(SYSTEM, "_users").ok()?;
    let at = |key: &str| {
        let document = users.documents.get(key)?;
        User::from_document(key, &serde_json::from_str(&document.body).ok()?)
    };
    let remembered = KEYS.with_borrow(|keys| at(keys.get(name)?));
    if let Some(user) = remembered.filter(|user| user.name == name) {
        return Some(user);
    }
    let user = all(store).into_iter().find(|user| user.name == name)?;
    if let Some(key) = &user.key {
        let (name, key) = (user.name.clone(), key.clone());
        KEYS.with_borrow_mut(|keys| keys.insert(name, key));
    }
    Some(user)
}

/// Stores a user, new or changed.
pub(crate) fn save(store: &mut Store, user: &User) -> Result<(), ApiError> {
    let collection = store.collection(SYSTEM, "_users")?.id;
    let document = user.to_document();
    store.require_sync();
    match &user.key {
        Some(key) => store.replace(collection, key, document, Expected::Any, &HOW),
        None => store.insert(collection, document, &HOW),
    }
    .map(drop)
}

/// A user's document as it is kept: what the agency of a cluster holds of a user.
pub(crate) fn document(user: &User) -> Map<String, Value> {
    user.to_document()
}

/// Puts a user there whose document comes from the agency.
pub(crate) fn restore(store: &mut Store, document: Map<String, Value>) -> Result<(), ApiError> {
    let collection = store.collection(SYSTEM, "_users")?.id;
    store.insert(collection, document, &HOW).map(drop)
}

/// Removes a user.
pub(crate) fn remove(store: &mut Store, user: &User) -> Result<(), ApiError> {
    let collection = store.collection(SYSTEM, "_users")?.id;
    store.require_sync();
    match &user.key {
        Some(key) => store
            .remove(collection, key, Expected::Any, false)
            .map(drop),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_from_the_special_to_the_general() {
        let mut user = User::new("eve", "secret").unwrap();
        assert!(user.opens_with("secret") && !user.opens_with("Secret"));
        assert_eq!(user.database_right("d"), Right::None);
        user.databases.insert(
            String::from("*"),
            Grants {
                database: Some(Right::Rw),
                collections: BTreeMap::new(),
            },
        );
        user.databases.insert(
            String::from("d"),
            Grants {
                database: Some(Right::Ro),
                collections: BTreeMap::from([(String::from("c"), Right::None)]),
            },
        );
        assert_eq!(user.database_right("d"), Right::Ro);
        assert_eq!(user.database_right("e"), Right::Rw);
        assert_eq!(user.collection_right("d", "c"), Right::None);
        // The greater of the grants on the database and on all databases.
        assert_eq!(user.collection_right("d", "other"), Right::Rw);
        assert_eq!(user.collection_right("d", "_jobs"), Right::Ro);
        assert_eq!(user.collection_right(SYSTEM, "_users"), Right::None);
        user.databases.remove("*");
        assert_eq!(user.collection_right("d", "other"), Right::Ro);
        let mut admin = User::new("admin", "").unwrap();
        let grants = |right| Grants {
            database: Some(right),
            collections: BTreeMap::new(),
        };
        admin
            .databases
            .insert(String::from(SYSTEM), grants(Right::Rw));
        assert_eq!(admin.database_right("d"), Right::Rw);
        assert_eq!(admin.collection_right("d", "c"), Right::Rw);
        admin
            .databases
            .insert(String::from("d"), grants(Right::None));
        assert_eq!(admin.database_right("d"), Right::None);
        let document = Value::Object(user.to_document());
        let back = User::from_document("1", &document).unwrap();
        assert_eq!(back.databases, user.databases);
        assert!(back.opens_with("secret"));
    }
}
