use super::*;

#[test]
fn pieces_add_up_whatever_the_hashes_say() {
    assert_eq!(pieces(10, &[7, 8], 4, 3), [(7, 4), (8, 4), (OWN | 3, 2)]);
    assert_eq!(pieces(6, &[7, 8], 4, 3), [(7, 4), (8, 2)]);
    assert_eq!(pieces(3, &[7, 8], 4, 3), [(7, 3)]);
    assert_eq!(pieces(3, &[], 4, 0), [(OWN, 3)]);
}
