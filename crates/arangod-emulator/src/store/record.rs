//! What is written into the journal.

use super::meta::CollectionMeta;
use super::shard::{Mark, Position};

/// One change of the state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    /// A database is there.
    CreateDatabase {
        /// Its id.
        id: u64,
        /// Its name.
        name: String,
    },
    /// A database and all that is in it are gone.
    DropDatabase {
        /// Its id.
        id: u64,
    },
    /// A collection is there.
    CreateCollection {
        /// The id of its database.
        database: u64,
        /// Its id.
        id: u64,
        /// Its name and properties.
        meta: CollectionMeta,
    },
    /// A collection has another name or other properties.
    ChangeCollection {
        /// Its id.
        id: u64,
        /// Its new name and properties.
        meta: CollectionMeta,
    },
    /// A collection is gone.
    DropCollection {
        /// Its id.
        id: u64,
    },
    /// A collection is empty.
    Truncate {
        /// Its id.
        id: u64,
        /// The revision of the collection from now on.
        revision: u64,
    },
    /// A document has this body.
    Put {
        /// The id of its collection.
        collection: u64,
        /// Its revision.
        revision: u64,
        /// Its key.
        key: Box<str>,
        /// Its attributes as JSON, without key, id and revision.
        body: Box<str>,
    },
    /// A document is gone.
    Remove {
        /// The id of its collection.
        collection: u64,
        /// The revision of the removal.
        revision: u64,
        /// Its key.
        key: Box<str>,
    },
    /// A shard has come so far.
    Mark {
        /// The id of its collection.
        collection: u64,
        /// How far.
        mark: Mark,
    },
}

/// The bytes are no record.
#[derive(Debug, thiserror::Error)]
#[error("the journal contains something that is no record: {0}")]
pub(crate) struct BadRecord(&'static str);

impl Record {
    /// Appends the record to a frame.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::CreateDatabase { id, name } => {
                put_head(out, 1, &[*id]);
                put_text(out, name);
            }
            Self::DropDatabase { id } => put_head(out, 2, &[*id]),
            Self::CreateCollection { database, id, meta } => {
                put_head(out, 3, &[*database, *id]);
                put_text(out, &meta.to_text());
            }
            Self::ChangeCollection { id, meta } => {
                put_head(out, 4, &[*id]);
                put_text(out, &meta.to_text());
            }
            Self::DropCollection { id } => put_head(out, 5, &[*id]),
            Self::Truncate { id, revision } => put_head(out, 6, &[*id, *revision]),
            Self::Put {
                collection,
                revision,
                key,
                body,
            } => {
                put_head(out, 7, &[*collection, *revision]);
                put_text(out, key);
                put_text(out, body);
            }
            Self::Remove {
                collection,
                revision,
                key,
            } => {
                put_head(out, 8, &[*collection, *revision]);
                put_text(out, key);
            }
            Self::Mark { collection, mark } => {
                let Mark { at, seen } = *mark;
                put_head(out, 9, &[*collection, at.epoch, at.seq, seen]);
            }
        }
    }

    /// Takes the next record off the front of a frame.
    pub(crate) fn decode(input: &mut &[u8]) -> Result<Self, BadRecord> {
        let (tag, rest) = input.split_first().ok_or(BadRecord("it is empty"))?;
        *input = rest;
        Ok(match tag {
            1 => Self::CreateDatabase {
                id: number(input)?,
                name: String::from(text(input)?),
            },
            2 => Self::DropDatabase { id: number(input)? },
            3 => Self::CreateCollection {
                database: number(input)?,
                id: number(input)?,
                meta: meta(input)?,
            },
            4 => Self::ChangeCollection {
                id: number(input)?,
                meta: meta(input)?,
            },
            5 => Self::DropCollection { id: number(input)? },
            6 => Self::Truncate {
                id: number(input)?,
                revision: number(input)?,
            },
            7 => Self::Put {
                collection: number(input)?,
                revision: number(input)?,
                key: Box::from(text(input)?),
                body: Box::from(text(input)?),
            },
            8 => Self::Remove {
                collection: number(input)?,
                revision: number(input)?,
                key: Box::from(text(input)?),
            },
            9 => Self::Mark {
                collection: number(input)?,
                mark: Mark {
                    at: Position {
                        epoch: number(input)?,
                        seq: number(input)?,
                    },
                    seen: number(input)?,
                },
            },
            _ => return Err(BadRecord("unknown kind")),
        })
    }
}

fn put_head(out: &mut Vec<u8>, tag: u8, numbers: &[u64]) {
    out.push(tag);
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Takes a number off the front.
pub(crate) fn number(input: &mut &[u8]) -> Result<u64, BadRecord> {
    let (bytes, rest) = input
        .split_first_chunk::<8>()
        .ok_or(BadRecord("a number is cut off"))?;
    *input = rest;
    Ok(u64::from_le_bytes(*bytes))
}

fn text<'a>(input: &mut &'a [u8]) -> Result<&'a str, BadRecord> {
    let length = usize::try_from(number(input)?).map_err(|_| BadRecord("a text is too long"))?;
    let (bytes, rest) = input
        .split_at_checked(length)
        .ok_or(BadRecord("a text is cut off"))?;
    *input = rest;
    std::str::from_utf8(bytes).map_err(|_| BadRecord("a text is not UTF-8"))
}

fn meta(input: &mut &[u8]) -> Result<CollectionMeta, BadRecord> {
    serde_json::from_str(text(input)?).map_err(|_| BadRecord("properties cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_went() {
        let records = [
            Record::CreateDatabase {
                id: 7,
                name: String::from("größe"),
            },
            Record::DropDatabase { id: 7 },
            Record::CreateCollection {
                database: 1,
                id: 9,
                meta: CollectionMeta::named("c"),
            },
            Record::ChangeCollection {
                id: 9,
                meta: CollectionMeta::named("d"),
            },
            Record::DropCollection { id: 9 },
            Record::Truncate { id: 9, revision: 3 },
            Record::Put {
                collection: 9,
                revision: u64::MAX,
                key: Box::from("k"),
                body: Box::from("{}"),
            },
            Record::Remove {
                collection: 9,
                revision: 1,
                key: Box::from("k"),
            },
            Record::Mark {
                collection: 9,
                mark: Mark {
                    at: Position { epoch: 3, seq: 5 },
                    seen: 4,
                },
            },
        ];
        let mut bytes = Vec::new();
        for record in &records {
            record.encode(&mut bytes);
        }
        let mut input = bytes.as_slice();
        for record in &records {
            assert_eq!(&Record::decode(&mut input).unwrap(), record);
        }
        assert!(input.is_empty());
        for cut in 0..bytes.len() {
            let mut input = &bytes[..cut];
            while !input.is_empty() && Record::decode(&mut input).is_ok() {}
        }
    }
}
