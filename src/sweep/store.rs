//! Results that outlive the process: runs under the key of all that they hang on, in files that are written whole or not at
//! all and are named after what is in them. Any number of processes may write into one folder, and folders may be poured
//! together. Knows nothing of what the values mean.
//!
//! A line is `KEY DIGEST HELD VALUE…`: hexadecimal, hexadecimal, a letter for each expectation, and numbers in the shortest
//! form that reads back to the same bits, `-` for none.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// What a run hangs on, hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key([u8; 16]);

impl Key {
    /// The key of these parts, in this order.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }

    /// Its bytes.
    pub(crate) const fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        hex(&self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let mut key = [0; 16];
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(key))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is kept of a run.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Record {
    /// The digest over everything that happened.
    pub(crate) digest: String,
    /// Whether each expectation held.
    pub(crate) held: Vec<bool>,
    /// The value of each column.
    pub(crate) values: Vec<Option<f64>>,
}

impl Record {
    fn write(&self, key: Key, out: &mut String) {
        out.push_str(&key.hex());
        out.push(' ');
        out.push_str(&self.digest);
        out.push(' ');
        out.push('h');
        out.extend(self.held.iter().map(|held| if *held { '1' } else { '0' }));
        for value in &self.values {
            match value {
                Some(value) => out.push_str(&format!(" {value}")),
                None => out.push_str(" -"),
            }
        }
        out.push('\n');
    }

    fn parse(line: &str) -> Option<(Key, Self)> {
        let mut words = line.split(' ');
        let key = Key::parse(words.next()?)?;
        let digest = words.next()?.to_owned();
        let held = words.next()?.strip_prefix('h')?.chars().map(|c| c == '1').collect();
        let value = |word: &str| if word == "-" { Some(None) } else { word.parse().ok().map(Some) };
        let values = words.map(value).collect::<Option<Vec<_>>>()?;
        Some((key, Self { digest, held, values }))
    }
}

/// A folder of results.
pub(crate) struct Store {
    folder: PathBuf,
    known: HashMap<Key, Record>,
    fresh: Mutex<Fresh>,
}

/// What is not written yet.
struct Fresh {
    lines: String,
    count: usize,
    since: Instant,
    /// What went wrong while it was written, to be told at the end.
    failed: Option<io::Error>,
}

/// So many results, or so much time, is lost at most when the process is killed.
const MOST_FRESH: usize = 2_000;
const LONGEST_FRESH: Duration = Duration::from_millis(500);
const EXTENSION: &str = "runs";

impl Store {
    /// The folder's results; the folder is made if there is none. Files that are not what their name says are left out.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut known = HashMap::new();
        read_into(&mut known, folder)?;
        Ok(Self::with(folder, known))
    }

    /// The results of several folders, to be read only.
    pub(crate) fn of_all(folders: &[PathBuf]) -> io::Result<Self> {
        let mut known = HashMap::new();
        for folder in folders {
            read_into(&mut known, folder)?;
        }
        Ok(Self::with(Path::new(""), known))
    }

    fn with(folder: &Path, known: HashMap<Key, Record>) -> Self {
        let fresh = Fresh { lines: String::new(), count: 0, since: Instant::now(), failed: None };
        Self { folder: folder.to_owned(), known, fresh: Mutex::new(fresh) }
    }

    /// The result that was there from the beginning.
    pub(crate) fn find(&self, key: Key) -> Option<&Record> {
        self.known.get(&key)
    }

    /// Keeps a result. When it is written is the store's affair; at the latest when it is [finished](Self::finish).
    pub(crate) fn keep(&self, key: Key, record: &Record) {
        let mut fresh = self.fresh();
        record.write(key, &mut fresh.lines);
        fresh.count += 1;
        if fresh.count >= MOST_FRESH || fresh.since.elapsed() >= LONGEST_FRESH {
            self.write(&mut fresh);
        }
    }

    /// Writes what is not written yet. The error is the first that any writing met.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let mut fresh = self.fresh();
        self.write(&mut fresh);
        fresh.failed.take().map_or(Ok(()), Err)
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, fresh: &mut Fresh) {
        let lines = std::mem::take(&mut fresh.lines);
        fresh.count = 0;
        fresh.since = Instant::now();
        if lines.is_empty() || fresh.failed.is_some() {
            return;
        }
        let name = format!("{}.{EXTENSION}", name_of(lines.as_bytes()));
        if let Err(error) = write_whole(&self.folder, &name, lines.as_bytes()) {
            fresh.failed = Some(error);
        }
    }
}

fn name_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..16])
}

fn read_into(known: &mut HashMap<Key, Record>, folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let name = name_of(text.as_bytes());
        if path.file_stem().is_some_and(|stem| stem == name.as_str()) {
            known.extend(text.lines().filter_map(Record::parse));
        }
    }
    Ok(())
}

/// Writes a file so that it is there whole or not at all, whatever happens to this process.
pub(crate) fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let made = folder.join(format!(".{name}.{}", std::process::id()));
    let mut file = fs::File::create(&made)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(&made, folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: f64) -> Record {
        Record { digest: "ab".repeat(16), held: vec![true, false], values: vec![Some(value), None, Some(0.1 + 0.2)] }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("squall-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_is_kept_is_found_again_to_the_last_bit() {
        let folder = folder("kept");
        let keys: Vec<Key> = (0..5_000u64).map(|at| Key::of(&[&at.to_le_bytes()])).collect();
        let store = Store::open(&folder).unwrap();
        for (at, key) in keys.iter().enumerate() {
            store.keep(*key, &record(1.0 / (at as f64 + 3.0)));
        }
        store.finish().unwrap();
        let again = Store::open(&folder).unwrap();
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(again.find(*key), Some(&record(1.0 / (at as f64 + 3.0))));
        }
        assert_eq!(again.find(Key::of(&[b"other"])), None);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_was_cut_or_changed_is_as_if_it_were_not_there() {
        let folder = folder("torn");
        let key = Key::of(&[b"a"]);
        let store = Store::open(&folder).unwrap();
        store.keep(key, &record(5.0));
        store.finish().unwrap();
        let path = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(Store::open(&folder).unwrap().find(key), None);
        fs::write(&path, &whole).unwrap();
        assert!(Store::open(&folder).unwrap().find(key).is_some());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_is_replaced_whole_and_what_was_begun_is_never_read() {
        let folder = folder("whole");
        fs::create_dir_all(&folder).unwrap();
        write_whole(&folder, "a.txt", b"first").unwrap();
        write_whole(&folder, "a.txt", b"second").unwrap();
        assert_eq!(fs::read(folder.join("a.txt")).unwrap(), b"second");
        let names = || -> Vec<_> { fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
        assert_eq!(names(), ["a.txt"], "nothing is left beside it");
        // A process that was killed while it wrote leaves this, and the next one reads past it.
        let mut line = String::new();
        record(1.0).write(Key::of(&[b"a"]), &mut line);
        fs::write(folder.join(format!(".{}.{EXTENSION}.1", name_of(line.as_bytes()))), &line).unwrap();
        assert_eq!(Store::open(&folder).unwrap().find(Key::of(&[b"a"])), None);
        let nowhere = write_whole(&folder.join("gone"), "a.txt", b"x");
        assert_eq!(nowhere.unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn parts_of_a_key_do_not_run_into_one_another() {
        assert_ne!(Key::of(&[b"ab", b"c"]), Key::of(&[b"a", b"bc"]));
        assert_eq!(Key::parse(&Key::of(&[b"x"]).hex()), Some(Key::of(&[b"x"])));
    }
}
