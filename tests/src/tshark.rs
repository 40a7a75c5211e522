//! tshark as the judge of Diameter: what it reads in each message, and what it finds wrong.

use std::path::Path;
use std::process::Command;

/// What tshark reads in one Diameter message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The captured frame that made it whole.
    pub number: usize,
    /// Octets of the message.
    pub octets: usize,
    /// Command-Code.
    pub command: u32,
    /// Application-Id.
    pub application: u32,
    /// The R flag.
    pub request: bool,
    /// Hop-by-Hop Identifier.
    pub hop_by_hop: u32,
    /// User-Name, the first one outside every group.
    pub user_name: Option<String>,
    /// Visited-PLMN-Id.
    pub visited: Option<Vec<u8>>,
    /// Result-Code.
    pub result: Option<u32>,
    /// Vendor and code of Experimental-Result.
    pub experimental: Option<(u32, u32)>,
    /// Expert information of warning or error severity, malformed included.
    pub complaints: Vec<String>,
}

/// Dissects a capture once; every Diameter message in the frames that pass `filter` (tshark's
/// language; empty for all), in order.
///
/// # Errors
/// tshark cannot be run or fails.
pub fn dissect(capture: &Path, filter: &str) -> Result<Vec<Reading>, String> {
    let filter =
        if filter.is_empty() { "diameter".into() } else { format!("diameter && ({filter})") };
    let out = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        .args(["-o", "tcp.desegment_tcp_streams:TRUE", "-Y", &filter, "-T", "pdml"])
        .output()
        .map_err(|error| error.to_string())?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into_owned());
    }
    Ok(read_pdml(&String::from_utf8_lossy(&out.stdout)))
}

/// These fields of every frame that passes `filter`; one that a frame has several times has commas
/// between its values.
///
/// # Errors
/// tshark cannot be run or fails.
pub fn fields(capture: &Path, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>, String> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(capture).args(["-Y", filter, "-T", "fields", "-E", "separator=;"]);
    tshark.args(fields.iter().flat_map(|field| ["-e", field]));
    let out = tshark.output().map_err(|error| error.to_string())?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into_owned());
    }
    let lines = String::from_utf8_lossy(&out.stdout);
    Ok(lines.lines().map(|line| line.split(';').map(Into::into).collect()).collect())
}

/// What tshark finds wrong, with a warning or worse, in frames that pass `filter`: their number and why.
///
/// # Errors
/// As [`fields`].
pub fn complaints(capture: &Path, filter: &str) -> Result<Vec<Vec<String>>, String> {
    let wrong = format!("({filter}) && (_ws.malformed || _ws.expert.severity >= {WARNING})");
    fields(capture, &wrong, &["frame.number", "_ws.malformed", "_ws.expert.message"])
}

/// PDML has one tag a line.
fn read_pdml(pdml: &str) -> Vec<Reading> {
    let mut reader = Reader::default();
    for line in pdml.lines() {
        reader.line(line);
    }
    reader.readings
}

#[derive(Debug, Default)]
struct Reader {
    readings: Vec<Reading>,
    number: usize,
    /// Open layers; one that stands inside another is counted and passed over.
    layers: usize,
    /// The open layer is `diameter`.
    inside: bool,
    /// Open fields that have fields inside.
    depth: usize,
    /// The last Vendor-Id, which stands before a vendor's result.
    vendor: u32,
    /// The last expert message, which stands before its severity.
    expert: String,
}

/// tshark's number for expert information that is at least a warning.
const WARNING: u32 = 0x60_0000;

/// The depth of a top-level AVP's value: inside its `diameter.avp`.
const TOP: usize = 1;

impl Reader {
    fn line(&mut self, line: &str) {
        let tag = line.trim_start();
        if tag.starts_with("<proto ") {
            self.layers += usize::from(!tag.ends_with("/>"));
            if self.layers == 1 {
                self.layer(attribute(tag, "name").unwrap_or_default());
            }
        } else if tag.starts_with("</proto>") {
            self.layers = self.layers.saturating_sub(1);
        } else if self.layers != 1 {
            // A document inside an AVP, dissected as a layer of its own.
        } else if tag.starts_with("</field>") {
            self.depth = self.depth.saturating_sub(1);
        } else if tag.starts_with("<field ") {
            self.field(tag);
            self.depth += usize::from(!tag.ends_with("/>"));
        }
    }

    fn layer(&mut self, name: &str) {
        self.inside = name == "diameter";
        self.depth = 0;
        if self.inside {
            self.readings.push(Reading { number: self.number, ..Reading::default() });
        } else if let ("_ws.malformed", Some(reading)) = (name, self.readings.last_mut()) {
            reading.complaints.push("malformed".into());
        }
    }

    fn field(&mut self, tag: &str) {
        let name = attribute(tag, "name").unwrap_or_default();
        let show = attribute(tag, "show").unwrap_or_default();
        if name == "frame.number" {
            self.number = show.parse().unwrap_or_default();
        }
        let Some(reading) = self.readings.last_mut() else { return };
        if !self.inside {
            return;
        }
        match name {
            "_ws.expert.message" => self.expert = show.into(),
            "_ws.expert.severity" if number(show) >= WARNING => {
                reading.complaints.push(std::mem::take(&mut self.expert));
            }
            "diameter.length" => reading.octets = show.parse().unwrap_or_default(),
            "diameter.cmd.code" => reading.command = number(show),
            "diameter.applicationId" => reading.application = number(show),
            "diameter.flags.request" => reading.request = matches!(show, "1" | "True"),
            "diameter.hopbyhopid" => reading.hop_by_hop = number(show),
            "diameter.User-Name" if self.depth == TOP => {
                reading.user_name.get_or_insert_with(|| show.into());
            }
            "diameter.Visited-PLMN-Id" => {
                reading.visited = attribute(tag, "value").map(octets);
            }
            "diameter.Result-Code" if self.depth == TOP => reading.result = Some(number(show)),
            "diameter.Vendor-Id" => self.vendor = number(show),
            "diameter.Experimental-Result-Code" => {
                reading.experimental = Some((self.vendor, number(show)));
            }
            _ => {}
        }
    }
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn number(show: &str) -> u32 {
    let read = match show.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => show.parse(),
    };
    read.unwrap_or_default()
}

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2);
    digits.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
