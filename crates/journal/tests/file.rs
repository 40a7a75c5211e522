//! The thread, its queue and its files.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "tests read their own files"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use journal::{
    Config, Event, Handle, Key, Line, Lines, PENDING_MAX, Rotation, Sink, Writer, read, spawn,
};
use procedure::Record;

mod common;
use common::{World, answered};

/// An empty folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("journal-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn rotation(&self, octets: u64, keep: usize) -> Rotation {
        Rotation { directory: self.0.clone(), octets, keep }
    }

    fn lines(&self) -> Vec<Line> {
        let files = read::files(&self.0).expect("files");
        let lines = files.iter().flat_map(|file| Lines::open(file).expect("a file"));
        lines.map(|line| line.expect("a line")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

type Heard = Arc<Mutex<Vec<String>>>;

fn start(config: Config, names: Arc<dyn journal::Names>) -> (Sink, Handle, Heard) {
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    let (sink, handle) = spawn(config, names, move |event| {
        let text = match event {
            Event::Failing(_) => "failing".to_owned(),
            Event::Recovered { lost } => format!("recovered, {lost} lost"),
        };
        ear.lock().expect("an ear").push(text);
    })
    .expect("a journal");
    (sink, handle, heard)
}

fn config(file: Option<Rotation>) -> Config {
    Config { file, ..Config::new(common::EPOCH_US, Key::new([7; 32])) }
}

fn value(handle: &Handle, name: &str) -> u64 {
    let text = handle.metrics().encode(&mut |_| ());
    let found =
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in {text}"))
}

fn numbered(record: Record, range: std::ops::Range<u64>) -> Vec<Record> {
    range.map(|exchange| Record { exchange, ..record }).collect()
}

fn numbers(lines: &[Line]) -> Vec<u64> {
    lines.iter().map(|line| u64::from_str_radix(&line.exchange, 16).expect("hex")).collect()
}

#[test]
fn what_is_submitted_is_written_once_in_order_and_rotated() {
    let folder = Folder::new("rotation");
    let (names, symbols) = World::shared();
    let (sink, handle, heard) = start(config(Some(folder.rotation(20_000, 1_000))), names);
    let record = answered(&symbols);
    for i in 0..50 {
        sink.submit(&mut numbered(record, i * 10..i * 10 + 10));
        handle.flush();
    }
    assert_eq!(value(&handle, "ipx_journal_written_records_total"), 500);
    sink.submit(&mut numbered(record, 500..510));
    handle.shutdown();
    assert_eq!(numbers(&folder.lines()), (0..510).collect::<Vec<_>>());
    let files = read::files(&folder.0).expect("files");
    assert!(files.len() > 10, "{files:?}");
    assert!(files.iter().all(|file| fs::metadata(file).expect("a file").len() <= 20_000));
    assert!(heard.lock().expect("an ear").is_empty());
}

#[test]
fn only_so_many_files_are_kept() {
    let folder = Folder::new("keep");
    let mut writer = Writer::open(folder.rotation(10, 3)).expect("a writer");
    for i in 0..9 {
        writer.push(|out| out.extend_from_slice(format!("line {i}\n").as_bytes()));
        writer.flush().expect("a write");
    }
    let files = read::files(&folder.0).expect("files");
    let text: String = files.iter().map(|file| fs::read_to_string(file).expect("text")).collect();
    assert_eq!(text, "line 5\nline 6\nline 7\nline 8\n");
}

#[test]
fn a_restart_goes_on_behind_a_torn_line() {
    let folder = Folder::new("torn");
    let current = folder.0.join("records.jsonl");
    fs::write(&current, "whole\nha").expect("a file");
    let mut writer = Writer::open(folder.rotation(1_000, 3)).expect("a writer");
    writer.push(|out| out.extend_from_slice(b"next\n"));
    writer.flush().expect("a write");
    assert_eq!(fs::read_to_string(current).expect("text"), "whole\nha\nnext\n");
}

fn full_disk(folder: &Path) -> PathBuf {
    let current = folder.join("records.jsonl");
    std::os::unix::fs::symlink("/dev/full", &current).expect("a link");
    current
}

#[test]
fn a_full_disk_is_waited_out() {
    let folder = Folder::new("full");
    let current = full_disk(&folder.0);
    let (names, symbols) = World::shared();
    let (sink, handle, heard) = start(config(Some(folder.rotation(1 << 30, 3))), names);
    let record = answered(&symbols);
    for i in 0..3 {
        sink.submit(&mut numbered(record, i * 10..i * 10 + 10));
        handle.flush();
    }
    assert!(value(&handle, "ipx_journal_write_errors_total") >= 3);
    assert_eq!(value(&handle, "ipx_journal_written_records_total"), 0);
    assert_eq!(handle.summary().stacks[0].exchanges, 30, "numbers go on");
    fs::remove_file(current).expect("removed");
    sink.submit(&mut numbered(record, 30..31));
    handle.flush();
    assert_eq!(numbers(&folder.lines()), (0..31).collect::<Vec<_>>());
    assert_eq!(*heard.lock().expect("an ear"), ["failing", "recovered, 0 lost"]);
}

#[test]
fn a_disk_full_for_long_loses_a_counted_number() {
    let folder = Folder::new("lost");
    let current = full_disk(&folder.0);
    let (names, symbols) = World::shared();
    let (sink, handle, _) = start(config(Some(folder.rotation(1 << 30, 3))), names);
    let record = answered(&symbols);
    let all = 12_000;
    for i in 0..all / 1_000 {
        sink.submit(&mut numbered(record, i * 1_000..(i + 1) * 1_000));
        handle.flush();
    }
    let lost = value(&handle, "ipx_journal_lost_records_total");
    fs::remove_file(&current).expect("removed");
    handle.flush();
    assert!(lost > 0);
    assert_eq!(numbers(&folder.lines()), (0..all - lost).collect::<Vec<_>>());
    assert!(fs::metadata(current).expect("a file").len() < PENDING_MAX as u64 + 4_096);
}

#[test]
fn what_fits_on_a_full_disk_is_written_in_whole_lines() {
    let folder = Folder::new("small");
    fs::create_dir_all(&folder.0).expect("a folder");
    let mount = |words: &[&str]| {
        let done = std::process::Command::new("mount").args(words).arg(&folder.0).output();
        done.is_ok_and(|done| done.status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
        let reason = "a small file system cannot be mounted (root can)";
        assert!(std::env::var_os("IPX_SKIPS").is_none_or(|skips| skips != "fail"), "{reason}");
        return println!("skipped: {reason}");
    }
    let (names, symbols) = World::shared();
    let (sink, handle, _) = start(config(Some(folder.rotation(1 << 30, 3))), names);
    sink.submit(&mut numbered(answered(&symbols), 0..1_000));
    handle.flush();
    let fitting = numbers(&folder.lines());
    let grown = mount(&["-o", "remount,size=16m"]);
    handle.flush();
    let all = numbers(&folder.lines());
    let written = value(&handle, "ipx_journal_written_records_total");
    handle.shutdown();
    let gone = std::process::Command::new("umount").arg(&folder.0).status();
    assert!(grown && gone.is_ok_and(|status| status.success()));
    let count = fitting.len() as u64;
    assert!((50..1_000).contains(&count), "{count} lines fit");
    assert_eq!(fitting, (0..count).collect::<Vec<_>>());
    assert_eq!((all, written), ((0..1_000).collect::<Vec<_>>(), 1_000));
}

#[test]
fn overflow_is_counted_to_the_record() {
    let (names, symbols) = World::shared();
    let (sink, handle, _) = start(Config { queue_records: 10, ..config(None) }, names);
    let record = answered(&symbols);
    let mut batch = numbered(record, 0..25);
    sink.submit(&mut batch);
    assert!(batch.is_empty());
    handle.flush();
    assert_eq!(value(&handle, "ipx_journal_overflow_records_total"), 15);
    assert_eq!(value(&handle, "ipx_journal_queue_limit_records"), 10);
    assert_eq!(handle.summary().stacks[0].exchanges, 10);
    let metrics = handle.metrics().clone();
    handle.shutdown();
    sink.submit(&mut numbered(record, 0..5));
    let text = metrics.encode(&mut |_| ());
    assert!(text.contains("ipx_journal_overflow_records_total 20\n"), "after the end: {text}");
}

#[test]
fn batches_come_back_with_room() {
    let (names, symbols) = World::shared();
    let (sink, handle, _) = start(config(None), names);
    let mut batch = Vec::with_capacity(100);
    for round in 0..10 {
        batch.extend(numbered(answered(&symbols), 0..100));
        sink.submit(&mut batch);
        handle.flush();
        assert!(batch.is_empty());
        assert!(round == 0 || batch.capacity() >= 100, "round {round} allocates");
    }
}

#[test]
fn four_workers_lose_nothing() {
    let folder = Folder::new("four");
    let (names, symbols) = World::shared();
    let (sink, handle, _) = start(config(Some(folder.rotation(1 << 20, 100))), names);
    let record = answered(&symbols);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let sink = sink.clone();
            scope.spawn(move || {
                for i in 0..100 {
                    let first = (worker * 100 + i) * 10;
                    sink.submit(&mut numbered(record, first..first + 10));
                }
            });
        }
    });
    drop(handle);
    let mut seen = numbers(&folder.lines());
    seen.sort_unstable();
    assert_eq!(seen, (0..4_000).collect::<Vec<_>>());
}
