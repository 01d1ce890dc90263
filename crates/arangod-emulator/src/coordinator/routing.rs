//! Which shard a key belongs to. The choice must be the same for ever and on every coordinator, so
//! it is written out here instead of taken from a library.

/// The number of the shard, among so many.
pub(super) fn shard_index(key: &str, shards: usize) -> usize {
    // FNV-1a, and then the last step of MurmurHash3: FNV alone leaves the low bits of short keys
    // related.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in key.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    (hash % shards.max(1) as u64) as usize
}

/// The names of shards in the order of their numbers: `s999` comes before `s1000`.
pub(super) fn sort_shards(shards: &mut [String]) {
    shards.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_and_even() {
        let chosen: Vec<usize> = ["", "a", "key1", "key2", "1000001"]
            .iter()
            .map(|key| shard_index(key, 7))
            .collect();
        // A document that was stored by an older version must be found by a newer one.
        assert_eq!(chosen, [1, 1, 4, 4, 2]);
        let mut counts = [0; 3];
        for number in 0..3000 {
            counts[shard_index(&format!("k{number}"), 3)] += 1;
        }
        assert!(counts.iter().all(|count| *count > 850), "{counts:?}");
    }

    #[test]
    fn shards_by_their_numbers() {
        let mut shards = ["s1000", "s999", "s1001"].map(String::from);
        sort_shards(&mut shards);
        assert_eq!(shards, ["s999", "s1000", "s1001"]);
    }
}
