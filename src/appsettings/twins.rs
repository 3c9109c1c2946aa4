//! Compressed twins of a published settings file, `.br` and `.gz`: made anew, so that no host
//! serves stale settings.

use super::change::Replacement;
use super::disk::{Links, read_bytes};
use super::error::SettingsError;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 22;

/// What the twins of a file are to hold once it holds `text`, where they are there and say
/// something else.
pub fn stale(
    path: &Path,
    text: &[u8],
    links: Links<'_>,
) -> Result<Vec<Replacement>, SettingsError> {
    let mut stale = Vec::new();
    for (ending, compress) in [
        ("br", brotli as fn(&[u8]) -> io::Result<Vec<u8>>),
        ("gz", gzip),
    ] {
        let path = twin(path, ending);
        let Some(present) = read_bytes(&path, links)? else {
            continue;
        };
        if !stands_for(ending, &present, text) {
            let after = compress(text).map_err(|error| SettingsError::write(&path, error))?;
            stale.push(Replacement {
                path,
                before: Some(present),
                after,
            });
        }
    }
    Ok(stale)
}

fn twin(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn gzip(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text)?;
    encoder.finish()
}

fn brotli(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    {
        let mut encoder =
            ::brotli::CompressorWriter::new(&mut out, 4096, BROTLI_QUALITY, BROTLI_WINDOW);
        encoder.write_all(text)?;
        encoder.flush()?;
    }
    Ok(out)
}

/// Whether a twin says what the file does. A few bytes may stand for more than memory holds: no
/// more is unpacked than the file has.
fn stands_for(ending: &str, twin: &[u8], text: &[u8]) -> bool {
    let mut unpacked = Vec::new();
    let limit = text.len() as u64 + 1;
    let read = match ending {
        "br" => ::brotli::Decompressor::new(twin, 4096)
            .take(limit)
            .read_to_end(&mut unpacked),
        _ => flate2::read::GzDecoder::new(twin)
            .take(limit)
            .read_to_end(&mut unpacked),
    };
    read.is_ok() && unpacked == text
}
