/// Checks proofs without the tree.
///
/// - Source: RFC 9162, sections 2.1.3.2 and 2.1.4.2.
public enum MerkleProof {
    /// Whether `leaf` is number `index` of the `size` leaves under `root`.
    public static func verifyInclusion(
        _ leaf: MerkleHash, index: Int, size: Int, proof: [MerkleHash], root: MerkleHash
    ) -> Bool {
        guard index >= 0, index < size else { return false }
        var (node, last, hash) = (index, size - 1, leaf)
        for sibling in proof {
            if last == 0 { return false }
            if node % 2 == 1 || node == last {
                hash = MerkleHash(sibling, hash)
                while node % 2 == 0, node != 0 { (node, last) = (node >> 1, last >> 1) }
            } else {
                hash = MerkleHash(hash, sibling)
            }
            (node, last) = (node >> 1, last >> 1)
        }
        return last == 0 && hash == root
    }

    /// Whether the tree of `size` leaves under `root` begins with that of `old` leaves under `oldRoot`.
    public static func verifyConsistency(
        old: Int, _ oldRoot: MerkleHash, size: Int, _ root: MerkleHash, proof: [MerkleHash]
    ) -> Bool {
        guard old >= 0, old <= size else { return false }
        if old == size { return proof.isEmpty && oldRoot == root }
        if old == 0 { return proof.isEmpty && oldRoot == .empty }
        var path = proof[...]
        // A whole subtree's root is part of the proof already.
        if old.nonzeroBitCount == 1 { path = [oldRoot] + path }
        guard let first = path.popFirst() else { return false }
        var (node, last) = (old - 1, size - 1)
        while node % 2 == 1 { (node, last) = (node >> 1, last >> 1) }
        var (oldHash, hash) = (first, first)
        for sibling in path {
            if last == 0 { return false }
            if node % 2 == 1 || node == last {
                (oldHash, hash) = (MerkleHash(sibling, oldHash), MerkleHash(sibling, hash))
                while node % 2 == 0, node != 0 { (node, last) = (node >> 1, last >> 1) }
            } else {
                hash = MerkleHash(hash, sibling)
            }
            (node, last) = (node >> 1, last >> 1)
        }
        return last == 0 && oldHash == oldRoot && hash == root
    }
}
