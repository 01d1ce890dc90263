use std::rc::Rc;

use super::*;

fn event(number: u64) -> Event {
    Event {
        v: VERSION,
        us: number,
        kind: EventKind::Warning {
            text: String::new(),
        },
    }
}

fn numbers(text: &[u8]) -> Vec<u64> {
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let events = lines.map(|line| serde_json::from_slice::<Event>(line).unwrap());
    events.map(|event| event.us).collect()
}

/// A log at this path.
fn log(path: &std::path::Path) -> EventLog {
    let file = File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    EventLog::new(Origin::now(), PathBuf::from("/runs/1"), file)
}

#[test]
fn what_was_sent_twice_is_written_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let log = log(&path);
    log.take(0, &[event(0), event(1)]).unwrap();
    log.take(0, &[event(0), event(1), event(2)]).unwrap();
    log.take(0, &[event(0), event(1)]).unwrap();
    log.take(3, &[event(3)]).unwrap();
    assert_eq!(numbers(&std::fs::read(path).unwrap()), [0, 1, 2, 3]);
}

#[test]
fn a_gap_is_refused_and_nothing_is_lost_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let log = log(&path);
    log.take(0, &[event(0)]).unwrap();
    for first in [2, usize::MAX] {
        let refused = log.take(first, &[event(9), event(9)]);
        assert_eq!(refused, Err(NotTaken::Gap { first, next: 1 }));
    }
    log.take(1, &[event(1)]).unwrap();
    assert_eq!(numbers(&std::fs::read(path).unwrap()), [0, 1]);
}

#[tokio::test]
async fn a_full_disk_is_told_once_and_the_events_go_on() {
    let log = Rc::new(log(std::path::Path::new("/dev/full")));
    for _ in 0..3 {
        log.emit(EventKind::Warning {
            text: "something".to_owned(),
        });
    }
    let followed = log.follow(0, false).await;
    let told = followed.iter().filter_map(|event| match &event.kind {
        EventKind::FilesIncomplete { directory, error } => Some((directory.as_str(), error)),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let [(directory, error)] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(directory, "/runs/1");
    assert!(error.contains("No space left"), "{error}");
    assert_eq!(followed.len(), 4);
}

/// A disk with room for so many bytes.
struct Disk {
    text: Vec<u8>,
    room: usize,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fit = bytes.len().min(self.room);
        if fit == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.text.extend_from_slice(&bytes[..fit]);
        self.room -= fit;
        Ok(fit)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_full_disk_has_no_room_for_is_written_when_there_is_room() {
    let disk = Disk {
        text: Vec::new(),
        room: serde_json::to_vec(&event(0)).unwrap().len() * 3 / 2,
    };
    let mut lines = Lines::new(disk);
    let results: Vec<bool> = (0..4).map(|us| lines.put(&[event(us)]).is_ok()).collect();
    assert_eq!(results, [true, false, false, false]);
    lines.to.room = 1000;
    lines.put(&[event(4)]).unwrap();
    assert_eq!(numbers(&lines.to.text), [0, 1, 2, 3, 4]);
}

#[test]
fn what_is_kept_for_a_full_disk_is_bounded() {
    let disk = Disk {
        text: Vec::new(),
        room: 0,
    };
    let mut lines = Lines::new(disk);
    let large = Event {
        kind: EventKind::Warning {
            text: "x".repeat(MOST_UNWRITTEN),
        },
        ..event(0)
    };
    lines.put(&[large]).unwrap_err();
    assert!(lines.is_cut_off && lines.unwritten.capacity() == 0);
    // A log with a hole would say what is not so.
    lines.to.room = 1000;
    lines.put(&[event(1)]).unwrap_err();
    assert!(lines.to.text.is_empty());
}
