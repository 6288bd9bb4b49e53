//! Bodies: JSON, compressed with zstd if that pays, and bounded when unpacked.

use std::io::Read as _;

use serde::Serialize;

/// Smaller bodies are sent uncompressed.
const WORTH_PACKING: usize = 1024;

const LEVEL: i32 = 3;

/// A body as it arrived.
pub(super) struct CompressedBody {
    pub(super) bytes: Vec<u8>,
    pub(super) encoding: Option<String>,
}

/// The body as JSON and, if it is compressed, its encoding.
pub(super) fn pack(body: &impl Serialize) -> Result<(Vec<u8>, Option<&'static str>), String> {
    let json = serde_json::to_vec(body).map_err(|error| error.to_string())?;
    if json.len() < WORTH_PACKING {
        return Ok((json, None));
    }
    let packed = zstd::stream::encode_all(&*json, LEVEL).map_err(|error| error.to_string())?;
    Ok((packed, Some("zstd")))
}

/// The unpacked bytes of a body, at most `limit`.
pub(super) fn unpack(body: CompressedBody, limit: usize) -> Result<Vec<u8>, String> {
    let too_large = || format!("it is larger than {limit} bytes");
    let bytes = match body.encoding.as_deref() {
        None | Some("identity") => body.bytes,
        Some("zstd") => {
            let mut bytes = Vec::new();
            let decoder = zstd::stream::Decoder::new(&*body.bytes).map_err(|error| error.to_string())?;
            let read = decoder.take(limit as u64 + 1).read_to_end(&mut bytes);
            read.map_err(|error| format!("its compression is damaged: {error}"))?;
            bytes
        }
        Some(other) => return Err(format!("it has the encoding `{}`", other.escape_default())),
    };
    if bytes.len() > limit { Err(too_large()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        for length in [1, 10_000] {
            let (bytes, encoding) = pack(&"x".repeat(length)).unwrap();
            assert_eq!(encoding.is_some(), length > WORTH_PACKING);
            let packed = CompressedBody { bytes, encoding: encoding.map(str::to_owned) };
            assert_eq!(unpack(packed, 20_000).unwrap().len(), length + 2);
        }
    }

    #[test]
    fn a_bomb_is_bounded() {
        let bomb = zstd::stream::encode_all(&*vec![0; 10_000_000], LEVEL).unwrap();
        assert!(bomb.len() < 10_000);
        let packed = CompressedBody { bytes: bomb, encoding: Some("zstd".into()) };
        assert!(unpack(packed, 100_000).unwrap_err().contains("larger"));
        let unknown = CompressedBody { bytes: Vec::new(), encoding: Some("br".into()) };
        assert!(unpack(unknown, 9).is_err());
    }
}
