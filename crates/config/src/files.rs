//! The one place that reads configuration from disk.
#![allow(
    clippy::disallowed_methods,
    reason = "configuration is read here and nowhere else; everybody else is given texts"
)]

use std::io;
use std::path::{Component, Path, PathBuf};

use policy::Source;

/// A file with nothing in it, for tables that are left out.
pub(crate) const EMPTY: &Source = &Source { name: String::new(), text: String::new() };

/// A path under a folder, without the `.` that files may say for "here".
pub(crate) fn join(dir: &Path, path: &str) -> PathBuf {
    let joined = dir.join(path);
    let named = |part: &Component<'_>| !matches!(part, Component::CurDir);
    joined.components().filter(named).collect()
}

/// Reads one file.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    String::from_utf8(std::fs::read(path)?).map_err(|wrong| {
        let valid = wrong.as_bytes().iter().take(wrong.utf8_error().valid_up_to());
        let line = valid.filter(|octet| **octet == b'\n').count() + 1;
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8"))
    })
}

/// The policy files of a folder, `cases/` included, in a steady order; `gateway.toml` is none.
pub(crate) fn policies(dir: &Path) -> (Vec<Source>, Vec<(PathBuf, io::Error)>) {
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    let mut paths = Vec::new();
    for folder in [dir.to_owned(), dir.join("cases")] {
        match toml_files(&folder) {
            Ok(found) => paths.extend(found),
            Err(_) if folder != dir => {}
            Err(error) => errors.push((folder, error)),
        }
    }
    for path in paths {
        match read(&path) {
            Ok(text) => sources.push(Source::new(path.display().to_string(), text)),
            Err(error) => errors.push((path, error)),
        }
    }
    (sources, errors)
}

fn toml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let here = folder.as_os_str().is_empty();
    for entry in std::fs::read_dir(if here { Path::new(".") } else { folder })? {
        let path = folder.join(entry?.file_name());
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let toml = path.extension().is_some_and(|extension| extension == "toml");
        if toml && !hidden && path.file_name().is_some_and(|name| name != "gateway.toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
