/// An append-only Merkle tree and its proofs. All complete subtrees are in memory: 64 bytes a leaf.
///
/// - Source: RFC 6962, section 2.1; RFC 9162, section 2.1.
public struct MerkleTree: Sendable {
    /// `levels[k][i]` covers leaves `i * 2^k ..< (i + 1) * 2^k`.
    private var levels: [[MerkleHash]] = [[]]

    public init() {}

    public var count: Int { levels[0].count }

    /// Amortised constant time.
    public mutating func append(_ leaf: MerkleHash) {
        var (level, node) = (0, leaf)
        while true {
            if levels.count == level { levels.append([]) }
            levels[level].append(node)
            let nodes = levels[level]
            guard nodes.count % 2 == 0 else { return }
            node = MerkleHash(nodes[nodes.count - 2], nodes[nodes.count - 1])
            level += 1
        }
    }

    public subscript(index: Int) -> MerkleHash { levels[0][index] }

    /// Of the first `size` leaves. - Precondition: there are that many.
    public func root(size: Int) -> MerkleHash {
        precondition((0...count).contains(size), "\(size) of \(count) leaves")
        return size == 0 ? .empty : hash(0..<size)
    }

    /// Of the leaves `range`, which begins at a multiple of the largest power of two in it.
    private func hash(_ range: Range<Int>) -> MerkleHash {
        let size = range.count
        if size.nonzeroBitCount == 1 {
            let level = size.trailingZeroBitCount
            return levels[level][range.lowerBound >> level]
        }
        let middle = range.lowerBound + Self.split(size)
        return MerkleHash(hash(range.lowerBound..<middle), hash(middle..<range.upperBound))
    }

    /// The largest power of two that is less than `size`.
    private static func split(_ size: Int) -> Int { 1 << (Int.bitWidth - 1 - (size - 1).leadingZeroBitCount) }

    /// The nodes beside the way from leaf `index` to the root of the first `size` leaves, from below.
    ///
    /// - Precondition: `0 <= index < size <= count`.
    public func inclusionProof(index: Int, size: Int) -> [MerkleHash] {
        precondition((0..<size).contains(index) && size <= count, "leaf \(index) of \(size) of \(count)")
        var proof: [MerkleHash] = []
        var range = 0..<size
        while range.count > 1 {
            let middle = range.lowerBound + Self.split(range.count)
            let (left, right) = (range.lowerBound..<middle, middle..<range.upperBound)
            proof.append(hash(index < middle ? right : left))
            range = index < middle ? left : right
        }
        return proof.reversed()
    }

    /// What shows that the tree of `size` leaves begins with that of `old`.
    ///
    /// - Precondition: `0 <= old <= size <= count`.
    public func consistencyProof(old: Int, size: Int) -> [MerkleHash] {
        precondition((0...size).contains(old) && size <= count, "\(old) of \(size) of \(count)")
        if old == 0 || old == size { return [] }
        var proof: [MerkleHash] = []
        var range = 0..<size
        var isWhole = true
        while range.upperBound != old {
            let middle = range.lowerBound + Self.split(range.count)
            let (left, right) = (range.lowerBound..<middle, middle..<range.upperBound)
            if old <= middle {
                proof.append(hash(right))
                range = left
            } else {
                proof.append(hash(left))
                range = right
                isWhole = false
            }
        }
        // The old tree's own root need not be said.
        if !isWhole { proof.append(hash(range)) }
        return proof.reversed()
    }
}
