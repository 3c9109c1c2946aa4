//! Compressed twins of a published settings file, `.br` and `.gz`: made anew, so that no host serves stale settings.

use super::change::Replacement;
use super::disk::{MAXIMUM_SIZE, read_bytes};
use super::error::SettingsError;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 22;

/// What the twins of a file are to hold once it holds `text`, where they are there and say
/// something else.
pub fn stale(path: &Path, text: &[u8]) -> Result<Vec<Replacement>, SettingsError> {
    let mut stale = Vec::new();
    for (ending, compress) in [
        ("br", brotli as fn(&[u8]) -> io::Result<Vec<u8>>),
        ("gz", gzip),
    ] {
        let path = twin(path, ending);
        let Some(present) = read_bytes(&path)? else {
            continue;
        };
        if decompress(ending, &present).is_none_or(|known| known != text) {
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

/// What a twin says now; `None` where it can't be read, and so has to be made anew. A few bytes may
/// stand for more than memory holds: no more is unpacked than a settings file has.
fn decompress(ending: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let limit = MAXIMUM_SIZE + 1;
    let read = match ending {
        "br" => ::brotli::Decompressor::new(bytes, 4096)
            .take(limit)
            .read_to_end(&mut text),
        _ => flate2::read::GzDecoder::new(bytes)
            .take(limit)
            .read_to_end(&mut text),
    };
    read.ok().filter(|length| (*length as u64) < limit)?;
    Some(text)
}
