use std::io::Read;

use proptest::prelude::*;
use rand::SeedableRng;

use super::*;

fn draw(spec: &ImageSpec, seed: u64) -> Media {
    Random::new(spec).unwrap().draw(&mut Xoshiro256PlusPlus::seed_from_u64(seed))
}

#[test]
fn a_picture_is_small_and_says_its_size() {
    let media = draw(&ImageSpec::default(), 1);
    assert_eq!(dimensions(&media), Some((224, 224)));
    assert_eq!(mime(&media.data), Some("image/png"));
    assert!(media.data.len() < 20_000, "{}", media.data.len());
    assert_eq!(media, draw(&ImageSpec::default(), 1));
    assert_ne!(media, draw(&ImageSpec::default(), 2));
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let say = |spec: ImageSpec| Random::new(&spec).err().unwrap().to_string();
    assert!(say(ImageSpec { format: "CMYK".into(), ..ImageSpec::default() }).contains("RGB, RGBA or L"));
    assert!(say(ImageSpec { width: 0, ..ImageSpec::default() }).starts_with("--image-width"));
    assert!(say(ImageSpec { num: 0, ..ImageSpec::default() }).starts_with("--image-num"));
}

#[test]
fn the_size_of_a_jpeg_is_in_its_frame() {
    let mut data = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8, 0, 30, 0, 40, 1, 0, 0, 0];
    let media = |data: &[u8]| Media { mime: "image/jpeg".into(), data: data.to_vec() };
    assert_eq!(dimensions(&media(&data)), Some((40, 30)));
    data.truncate(12);
    assert_eq!(dimensions(&media(&data)), None);
}

proptest! {
    /// The rows come back: each line of the picture is there, whatever its size.
    #[test]
    fn what_is_written_can_be_read(width in 1_u32..40, height in 1_u32..40, kind in 0..3, seed: u64) {
        let format = ["RGB", "RGBA", "L"][kind as usize].to_string();
        let channels = [3, 4, 1][kind as usize];
        let media = draw(&ImageSpec { width, height, format, ..ImageSpec::default() }, seed);
        let data = &media.data;
        prop_assert_eq!(dimensions(&media), Some((width, height)));
        let length = u32::from_be_bytes(data[33..37].try_into().unwrap()) as usize;
        prop_assert_eq!(&data[37..41], b"IDAT");
        let mut rows = Vec::new();
        flate2::read::ZlibDecoder::new(&data[41..41 + length]).read_to_end(&mut rows).unwrap();
        prop_assert_eq!(rows.len(), height as usize * (1 + width as usize * channels));
        let sum = u32::from_be_bytes(data[41 + length..45 + length].try_into().unwrap());
        let mut expected = flate2::Crc::new();
        expected.update(&data[37..41 + length]);
        prop_assert_eq!(sum, expected.sum());
    }
}
