//! Pictures: random ones, written as PNG, and what kind of picture some bytes are.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Serialize;

use crate::contract::{Media, PartError};

/// The pictures that `random_vl` is to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageSpec {
    /// `--image-width`, in pixels.
    pub width: u32,
    /// `--image-height`, in pixels.
    pub height: u32,
    /// `--image-format`: the pixels' colours, `RGB`, `RGBA` or `L` (grey).
    pub format: String,
    /// `--image-num`: pictures in each request.
    pub num: u32,
    /// `--image-patch-size`: the side of the square of pixels that a model makes one token of. It is
    /// used for counting where the server reports no count.
    pub patch_size: u32,
}

impl Default for ImageSpec {
    fn default() -> ImageSpec {
        ImageSpec { width: 224, height: 224, format: "RGB".into(), num: 1, patch_size: 28 }
    }
}

/// Draws pictures: a ground of one colour and a few shapes on it.
pub(super) struct Random {
    width: u32,
    height: u32,
    /// Bytes of a pixel.
    channels: usize,
    /// PNG's number for them.
    colour_type: u8,
}

impl Random {
    /// Checks what is asked for.
    pub(super) fn new(spec: &ImageSpec) -> Result<Random, PartError> {
        let invalid = |text: String| Err(PartError::InvalidConfig(text));
        let (channels, colour_type) = match spec.format.to_ascii_uppercase().as_str() {
            "RGB" => (3, 2),
            "RGBA" => (4, 6),
            "L" => (1, 0),
            _ => {
                return invalid(format!(
                    "--image-format \"{}\" is not known; give RGB, RGBA or L",
                    spec.format
                ));
            }
        };
        for (flag, pixels) in [("--image-width", spec.width), ("--image-height", spec.height)] {
            if !(1..=16_384).contains(&pixels) {
                return invalid(format!("{flag} must be from 1 to 16384 pixels, got {pixels}; change it"));
            }
        }
        if !(1..=1000).contains(&spec.num) {
            return invalid(format!("--image-num must be from 1 to 1000, got {}; change it", spec.num));
        }
        Ok(Random { width: spec.width, height: spec.height, channels, colour_type })
    }

    /// The next picture.
    pub(super) fn draw(&self, rng: &mut Xoshiro256PlusPlus) -> Media {
        let row = self.width as usize * self.channels;
        let ground = self.colour(rng);
        let mut pixels: Vec<u8> = ground.iter().copied().cycle().take(row * self.height as usize).collect();
        for _ in 0..rng.random_range(1..=5) {
            self.shape(&mut pixels, rng);
        }
        Media { mime: "image/png".into(), data: png(self.width, self.height, self.colour_type, row, &pixels) }
    }

    fn colour(&self, rng: &mut Xoshiro256PlusPlus) -> Vec<u8> {
        let mut colour: Vec<u8> = (0..self.channels).map(|_| rng.random()).collect();
        if let Some(opacity) = colour.get_mut(3) {
            *opacity = 255;
        }
        colour
    }

    /// A rectangle, an ellipse or a line, filled with one colour.
    fn shape(&self, pixels: &mut [u8], rng: &mut Xoshiro256PlusPlus) {
        let kind = rng.random_range(0..3);
        let colour = self.colour(rng);
        let mut ends = |size: u32| {
            let (a, b) = (rng.random_range(0..size), rng.random_range(0..size));
            (i64::from(a.min(b)), i64::from(a.max(b)))
        };
        let ((left, right), (top, bottom)) = (ends(self.width), ends(self.height));
        let (width, height) = (right - left + 1, bottom - top + 1);
        for y in top..=bottom {
            for x in left..=right {
                let (dx, dy) = (2 * (x - left) + 1 - width, 2 * (y - top) + 1 - height);
                let inside = match kind {
                    0 => true,
                    1 => {
                        let square = |value: i64| i128::from(value * value);
                        square(dx) * square(height) + square(dy) * square(width)
                            <= square(width) * square(height)
                    }
                    _ => (dx * height - dy * width).abs() <= width.max(height) * 2,
                };
                if inside {
                    let at = (y as usize * self.width as usize + x as usize) * self.channels;
                    pixels[at..at + self.channels].copy_from_slice(&colour);
                }
            }
        }
    }
}

/// A PNG file of the pixels, in rows of `row` bytes (ISO/IEC 15948).
fn png(width: u32, height: u32, colour_type: u8, row: usize, pixels: &[u8]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::with_capacity(13);
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, colour_type, 0, 0, 0]);
    chunk(&mut out, b"IHDR", &header);
    chunk(&mut out, b"IDAT", &compressed(row, pixels));
    chunk(&mut out, b"IEND", &[]);
    out
}

/// Each row as its difference from the one above, which is mostly nothing, and compressed.
fn compressed(row: usize, pixels: &[u8]) -> Vec<u8> {
    const UP: u8 = 2;
    let above = vec![0; row];
    let mut above = above.as_slice();
    let mut filtered = Vec::with_capacity(pixels.len() + pixels.len() / row.max(1));
    for line in pixels.chunks(row.max(1)) {
        filtered.push(UP);
        filtered.extend(line.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(*above)));
        above = line;
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(&filtered);
    encoder.finish().unwrap_or_default()
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut sum = flate2::Crc::new();
    sum.update(kind);
    sum.update(data);
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(kind);
    out.extend(data);
    out.extend(sum.sum().to_be_bytes());
}

/// The MIME type of a picture's bytes, by how they begin; `None` if they are no known picture.
pub(super) fn mime(data: &[u8]) -> Option<&'static str> {
    match data {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// A picture's width and height in pixels, for those in PNG or JPEG.
pub fn dimensions(media: &Media) -> Option<(u32, u32)> {
    let data = media.data.as_slice();
    let two = |at: usize| Some(u32::from(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?])));
    match mime(data)? {
        "image/png" => Some((two(16)? << 16 | two(18)?, two(20)? << 16 | two(22)?)),
        "image/jpeg" => {
            let mut at = 2;
            loop {
                let marker = *data.get(at + 1)?;
                let starts_frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
                if starts_frame {
                    return Some((two(at + 7)?, two(at + 5)?));
                }
                at += 2 + two(at + 2)? as usize;
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
