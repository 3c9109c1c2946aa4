//! Compressed twins of a published settings file, `.br` and `.gz`: made anew, so that no host serves stale settings.

use super::change::Replacement;
use super::{SettingsError, SettingsFile, read_bytes, write_error};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 22;

/// What the twins of a file are to hold, where they are there and say something else.
pub fn stale(file: &SettingsFile) -> Result<Vec<Replacement>, SettingsError> {
    let text = file.document.to_bytes();
    let mut stale = Vec::new();
    for (ending, compress) in [
        ("br", brotli as fn(&[u8]) -> io::Result<Vec<u8>>),
        ("gz", gzip),
    ] {
        let path = twin(&file.path, ending);
        let Some(present) = read_bytes(&path)? else {
            continue;
        };
        if decompress(ending, &present).is_none_or(|known| known != text) {
            let after = compress(&text).map_err(|error| write_error(&path, error))?;
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

/// What a twin says now; `None` where it can't be read, and so has to be made anew.
fn decompress(ending: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let read = match ending {
        "br" => io::Read::read_to_end(&mut ::brotli::Decompressor::new(bytes, 4096), &mut text),
        _ => io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut text),
    };
    read.ok().map(|_| text)
}
