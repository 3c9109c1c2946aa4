//! MessagePack against rmp-serde, in both directions.

use harmony::message_pack::{
    MessagePackReader, write_array, write_binary, write_integer, write_map, write_text,
};
use proptest::prelude::{any, prop, proptest};
use std::collections::BTreeMap;

proptest! {
    #[test]
    fn integers_are_written_in_the_shortest_form(value in any::<i64>()) {
        let mut ours = Vec::new();
        write_integer(&mut ours, value);
        assert_eq!(ours, rmp_serde::to_vec(&value).expect("an integer"));
        assert_eq!(MessagePackReader::new(&ours).integer(), Ok(value));
    }

    #[test]
    fn small_integers_too(value in -70_000i64..70_000) {
        let mut ours = Vec::new();
        write_integer(&mut ours, value);
        assert_eq!(ours, rmp_serde::to_vec(&value).expect("an integer"));
        assert_eq!(MessagePackReader::new(&ours).integer(), Ok(value));
    }

    #[test]
    fn texts_and_maps_are_theirs(entries in prop::collection::btree_map(any::<String>(), any::<i32>(), 0..40)) {
        let mut ours = Vec::new();
        write_map(&mut ours, entries.len());
        for (key, value) in &entries {
            write_text(&mut ours, key);
            write_integer(&mut ours, (*value).into());
        }
        assert_eq!(ours, rmp_serde::to_vec(&entries).expect("a map"));
        let mut reader = MessagePackReader::new(&ours);
        let mut read = BTreeMap::new();
        for _ in 0..reader.map().expect("a map") {
            read.insert(reader.text().expect("a key").to_owned(), reader.integer().expect("a value") as i32);
        }
        assert_eq!(read, entries);
        assert!(MessagePackReader::new(&ours).skip().is_ok());
    }

    #[test]
    fn binary_of_every_length(length in prop_lengths()) {
        let bytes = vec![7; length];
        let mut ours = Vec::new();
        write_binary(&mut ours, &bytes);
        assert_eq!(MessagePackReader::new(&ours).binary(), Ok(bytes.as_slice()));
        assert!(MessagePackReader::new(&ours[..ours.len() - usize::from(length > 0)]).binary().is_err() || length == 0);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = MessagePackReader::new(&bytes).skip();
        let _ = MessagePackReader::new(&bytes).text();
        let _ = MessagePackReader::new(&bytes).integer();
        let _ = harmony::signalr::backplane::envelope::read_invocation(&bytes);
        let _ = harmony::signalr::backplane::envelope::read_group_command(&bytes);
        let _ = harmony::signalr::backplane::envelope::read_ack(&bytes);
    }
}

fn prop_lengths() -> impl proptest::strategy::Strategy<Value = usize> {
    proptest::prelude::prop_oneof![0usize..300, 65_000usize..66_000]
}

#[test]
fn long_arrays_have_longer_heads() {
    for (length, head) in [
        (15, vec![0x9f]),
        (16, vec![0xdc, 0, 16]),
        (70_000, vec![0xdd, 0, 1, 0x11, 0x70]),
    ] {
        let mut ours = Vec::new();
        write_array(&mut ours, length);
        assert_eq!(ours, head);
        // One that claims more than follows is refused.
        assert!(MessagePackReader::new(&ours).array().is_err());
        ours.extend(vec![0xc0; length]);
        assert_eq!(MessagePackReader::new(&ours).array(), Ok(length));
    }
}

#[test]
fn endless_nesting_is_refused() {
    assert!(MessagePackReader::new(&vec![0x91; 100_000]).skip().is_err());
}

#[test]
fn maps_as_keys_of_maps_are_refused_and_not_written_out() {
    use harmony::signalr::value::Value;
    // Each level as a text inside the one above would double its escapes: sixty of them are more
    // than any memory.
    let mut nested = vec![0x81; 60];
    nested.extend(vec![0xc0; 61]);
    assert!(Value::from_message_pack(&nested).is_err());
    assert_eq!(
        Value::from_message_pack(&[0x81, 0x07, 0xc3])
            .expect("a number as a key")
            .member("7"),
        Some(&Value::Boolean(true))
    );
}
