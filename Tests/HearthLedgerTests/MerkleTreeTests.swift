import Foundation
import HearthLedger
import Testing

/// The vectors of Certificate Transparency's reference implementation, and every proof of every small tree.
@Suite struct MerkleTreeTests {
    private static func hash(_ hex: String) -> MerkleHash {
        MerkleHash(
            stride(from: 0, to: hex.count, by: 2).map { at in
                UInt8(hex.dropFirst(at).prefix(2), radix: 16)!
            })!
    }

    private static let leaves: [[UInt8]] = [
        [], [0], [0x10], [0x20, 0x21], [0x30, 0x31], Array(0x40...0x43), Array(0x50...0x57), Array(0x60...0x6F),
    ]
    private static let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ].map(hash)

    private func tree(_ leaves: some Sequence<MerkleHash>) -> MerkleTree {
        var tree = MerkleTree()
        for leaf in leaves { tree.append(leaf) }
        return tree
    }

    private var known: MerkleTree { tree(Self.leaves.map { MerkleHash(leaf: $0) }) }

    @Test func rootsAreTheReferences() {
        for (size, root) in Self.roots.enumerated() { #expect(known.root(size: size) == root) }
    }

    @Test func proofsAreTheReferences() {
        let a = Self.hash("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7")
        let b = Self.hash("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e")
        let c = Self.hash("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")
        let d = Self.hash("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b")
        let e = Self.hash("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0")
        let f = Self.hash("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a")
        let roots = Self.roots
        #expect(known.inclusionProof(index: 0, size: 8) == [a, b, c])
        #expect(known.inclusionProof(index: 5, size: 8) == [d, e, roots[4]])
        #expect(known.inclusionProof(index: 2, size: 3) == [roots[2]])
        #expect(known.inclusionProof(index: 1, size: 5) == [roots[1], b, d])
        #expect(known.consistencyProof(old: 1, size: 8) == [a, b, c])
        #expect(known.consistencyProof(old: 6, size: 8) == [f, e, roots[4]])
        #expect(known.consistencyProof(old: 2, size: 5) == [b, d])
    }

    private func leaf(_ number: Int) -> MerkleHash { MerkleHash(leaf: Data("leaf \(number)".utf8)) }

    @Test func everyProofOfSmallTreesHolds() {
        let tree = tree((0..<70).map(leaf))
        for size in 1...70 {
            let root = tree.root(size: size)
            for index in 0..<size {
                let proof = tree.inclusionProof(index: index, size: size)
                #expect(
                    MerkleProof.verifyInclusion(leaf(index), index: index, size: size, proof: proof, root: root))
                #expect(
                    !MerkleProof.verifyInclusion(leaf(index + 1), index: index, size: size, proof: proof, root: root))
            }
            for old in 0...size {
                let proof = tree.consistencyProof(old: old, size: size)
                #expect(
                    MerkleProof.verifyConsistency(old: old, tree.root(size: old), size: size, root, proof: proof))
            }
        }
    }

    /// Ten thousand ways to be wrong: another leaf, index, size, root, a node changed, lost, added or moved.
    @Test func everyMutationIsCaught() {
        var random = SystemRandomNumberGenerator()
        let tree = tree((0..<1000).map(leaf))
        var caught = 0
        for round in 0..<10_000 {
            let size = Int.random(in: 2...1000, using: &random)
            let old = Int.random(in: 1..<size, using: &random)
            var (index, claimed, root, oldRoot) = (old, size, tree.root(size: size), tree.root(size: old))
            let isInclusion = round % 2 == 0
            var proof =
                isInclusion
                ? tree.inclusionProof(index: index, size: size) : tree.consistencyProof(old: old, size: size)
            let original = proof
            var leaf = leaf(index)
            switch Int.random(in: 0..<7, using: &random) {
            case 0: proof[Int.random(in: proof.indices, using: &random)] = self.leaf(-1)
            case 1: proof.remove(at: Int.random(in: proof.indices, using: &random))
            case 2: proof.insert(self.leaf(-1), at: Int.random(in: 0...proof.count, using: &random))
            case 3: root = self.leaf(-1)
            case 4:
                if isInclusion {
                    index = (index + Int.random(in: 1..<size, using: &random)) % size
                } else {
                    oldRoot = root
                }
            case 5: if isInclusion { leaf = self.leaf(-1) } else { oldRoot = .empty }
            default: proof.swapAt(0, proof.count - 1)
            }
            // A proof of one node, or of two equal ones, is itself when reversed.
            let isUnchanged =
                proof == original && (index, claimed) == (old, size)
                && root == tree.root(size: size) && oldRoot == tree.root(size: old) && leaf == self.leaf(old)
            if isUnchanged { claimed += size + 1 }
            let holds =
                isInclusion
                ? MerkleProof.verifyInclusion(leaf, index: index, size: claimed, proof: proof, root: root)
                : MerkleProof.verifyConsistency(old: old, oldRoot, size: claimed, root, proof: proof)
            if !holds { caught += 1 }
        }
        #expect(caught == 10_000)
    }

    @Test func aMillionLeavesHaveProofsOfTwentyHashes() {
        let tree = tree((0..<1_000_000).lazy.map { MerkleHash(leaf: withUnsafeBytes(of: $0) { Array($0) }) })
        let root = tree.root(size: tree.count)
        for index in [0, 1, 524_287, 524_288, 700_001] {
            let proof = tree.inclusionProof(index: index, size: tree.count)
            #expect(proof.count <= 20)
            #expect(
                MerkleProof.verifyInclusion(tree[index], index: index, size: tree.count, proof: proof, root: root))
        }
        let proof = tree.consistencyProof(old: 654_321, size: tree.count)
        #expect(proof.count <= 21)
        #expect(
            MerkleProof.verifyConsistency(
                old: 654_321, tree.root(size: 654_321), size: tree.count, root, proof: proof))
    }
}
