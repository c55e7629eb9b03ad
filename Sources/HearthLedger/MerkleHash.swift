import Crypto
import Foundation
import HearthJSON

/// SHA-256 of a leaf or of an inner node.
public struct MerkleHash: Hashable, Sendable, CustomStringConvertible {
    private var words: SIMD4<UInt64>

    /// - Parameter bytes: 32 of them; nil for another count.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        words = .zero
        withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
    }

    private init(_ digest: SHA256.Digest) {
        words = .zero
        withUnsafeMutableBytes(of: &words) { target in digest.withUnsafeBytes { target.copyMemory(from: $0) } }
    }

    /// Of a leaf's data. Leaves and inner nodes are told apart by their first byte.
    public init(leaf data: some DataProtocol) {
        var hash = SHA256()
        hash.update(data: [0] as [UInt8])
        hash.update(data: data)
        self.init(hash.finalize())
    }

    /// Of the node above two others.
    public init(_ left: MerkleHash, _ right: MerkleHash) {
        var hash = SHA256()
        hash.update(data: [1] as [UInt8])
        withUnsafeBytes(of: left.words) { hash.update(bufferPointer: $0) }
        withUnsafeBytes(of: right.words) { hash.update(bufferPointer: $0) }
        self.init(hash.finalize())
    }

    /// Of the tree without leaves.
    public static let empty = MerkleHash(SHA256.hash(data: [UInt8]()))

    public var data: Data { withUnsafeBytes(of: words) { Data($0) } }
    public var description: String { data.hexadecimal }
}

extension MerkleHash: Codable {
    /// Base64, as C2SP's formats write hashes.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let data = Data(base64Encoded: text), let hash = MerkleHash(data) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not the base64 of 32 bytes"))
        }
        self = hash
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(data.base64EncodedString())
    }
}
