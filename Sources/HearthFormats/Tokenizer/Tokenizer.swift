import Foundation

/// Text to token ids and back: byte-level byte-pair encoding (GPT-2's family) or SentencePiece's.
///
/// Byte-level: text is cut into words (`PreTokenizer`), each word into bytes, and neighbouring symbols are merged, the merge that
/// comes first in the list first, the leftmost of equals first.
///
/// - Source: Sennrich et al., arXiv 1508.07909; Radford et al., 2019, for the byte alphabet.
public struct Tokenizer: Sendable {
    /// What a vocabulary entry is, by its number in `tokenizer.ggml.token_type`.
    enum TokenKind: Int64 { case normal = 1, unknown, control, userDefined, unused, byte }

    public let vocabularySize: Int
    public let bosID: Int32?
    public let eosID: Int32?
    public let addsBOS: Bool
    private let method: Method
    private let tokens: [String]
    private let kinds: [TokenKind]
    /// Control and user-defined tokens, longest first.
    private let special: [SpecialToken]
    private let idsByText: [ExactString: Int32]
    private let normalisation: Normalisation

    enum Method: Sendable {
        case bytePairs(PreTokenizer, MergeTable)
        case sentencePiece(SentencePiece)
    }

    /// What is done to text first.
    enum Normalisation: Sendable { case none, nfc, nfkc }

    private struct SpecialToken {
        let text: [UInt8]
        let id: Int32
        let isControl: Bool
    }

    init(
        tokens: [String], ids: [ExactString: Int32], kinds: [TokenKind], method: Method, bosID: Int32?,
        eosID: Int32?, addsBOS: Bool, normalisation: Normalisation = .none
    ) {
        self.tokens = tokens
        idsByText = ids
        self.kinds = kinds
        self.method = method
        self.bosID = bosID
        self.eosID = eosID
        self.addsBOS = addsBOS
        self.normalisation = normalisation
        vocabularySize = tokens.count
        var special: [SpecialToken] = []
        for (id, kind) in kinds.enumerated() where kind == .control || kind == .userDefined {
            let text = Array(tokens[id].utf8)
            if !text.isEmpty { special.append(SpecialToken(text: text, id: Int32(id), isControl: kind == .control)) }
        }
        self.special = special.sorted { ($0.text.count, $1.id) > ($1.text.count, $0.id) }
    }

    public func id(ofToken text: String) -> Int32? { idsByText[ExactString(text)] }

    /// How the vocabulary writes token `id`.
    public func text(of id: Int32) -> String? { tokens.indices.contains(Int(id)) ? tokens[Int(id)] : nil }

    // MARK: Encoding

    /// Token ids of `text`.
    ///
    /// - Parameter parsesControl: read control tokens such as `<|im_start|>` in the text as themselves. Only for text
    ///   that a template made: with user input it lets the user forge turns.
    public func encode(_ text: String, parsesControl: Bool = false) -> [Int32] {
        var ids: [Int32] = addsBOS ? bosID.map { [$0] } ?? [] : []
        let bytes = Array(text.utf8)
        let known = special.filter { parsesControl || !$0.isControl }
        let firstBytes = Set(known.map { $0.text[0] })
        var start = 0
        var at = 0
        while at < bytes.count {
            if firstBytes.contains(bytes[at]), let match = known.first(where: { bytes[at...].starts(with: $0.text) }) {
                encodePlain(bytes[start..<at], isFirst: start == 0, into: &ids)
                ids.append(match.id)
                at += match.text.count
                start = at
            } else {
                at += 1
            }
        }
        encodePlain(bytes[start...], isFirst: start == 0, into: &ids)
        return ids
    }

    /// Breaks what of `text` would be read as a control token: `encode` puts it together again, as text. By bytes, as `encode`
    /// reads: a combining mark after a token's last character hides nothing.
    public func disarmed(_ text: String) -> String {
        var scalars = text.unicodeScalars
        scalars.removeAll { $0 == Self.breaker }
        let bytes = Array(String(scalars).utf8)
        let controls = special.filter { $0.isControl && $0.text.count > 1 }
        let firstBytes = Set(controls.map { $0.text[0] })
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            let isBroken =
                firstBytes.contains(bytes[at]) && controls.contains { bytes[at...].starts(with: $0.text) }
            // After the whole first character, so that what comes out is text.
            repeat {
                out.append(bytes[at])
                at += 1
            } while at < bytes.count && bytes[at] & 0xC0 == 0x80
            if isBroken { out += Array(String(Character(Self.breaker)).utf8) }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static let breaker = Unicode.Scalar(0xFDD0 as UInt32)!

    private func encodePlain(_ bytes: ArraySlice<UInt8>, isFirst: Bool, into ids: inout [Int32]) {
        if bytes.isEmpty { return }
        var text = String(decoding: bytes, as: UTF8.self)
        if text.unicodeScalars.contains(Self.breaker) {
            text.unicodeScalars.removeAll { $0 == Self.breaker }
        }
        switch normalisation {
        case .none: break
        case .nfc: text = text.precomposedStringWithCanonicalMapping
        case .nfkc: text = text.precomposedStringWithCompatibilityMapping
        }
        switch method {
        case .sentencePiece(let pieces): pieces.encode(text, isFirst: isFirst, into: &ids)
        case .bytePairs(let preTokenizer, let merges):
            for word in preTokenizer.words(of: text) {
                merges.encode(Array(word.utf8), takesWhole: preTokenizer.takesWholeWords, into: &ids)
            }
        }
    }

    // MARK: Decoding

    /// The bytes a token stands for: nothing for control tokens, and for ids outside the vocabulary.
    public func bytes(of id: Int32) -> [UInt8] {
        guard tokens.indices.contains(Int(id)) else { return [] }
        let token = tokens[Int(id)]
        switch kinds[Int(id)] {
        case .control, .unused, .unknown: return []
        case .userDefined: if case .bytePairs = method { return Array(token.utf8) }
        case .normal, .byte: break
        }
        switch method {
        case .bytePairs: return ByteAlphabet.bytes(of: token) ?? Array(token.utf8)
        case .sentencePiece:
            if kinds[Int(id)] == .byte { return Self.byte(named: token).map { [$0] } ?? [] }
            return Array(token.replacingOccurrences(of: "\u{2581}", with: " ").utf8)
        }
    }

    /// `<0x0A>`
    static func byte(named token: String) -> UInt8? {
        guard token.hasPrefix("<0x"), token.hasSuffix(">"), token.utf8.count == 6 else { return nil }
        return UInt8(token.dropFirst(3).dropLast(), radix: 16)
    }

    /// The text that ids stand for, without the blank that SentencePiece puts in front.
    public func decode(_ ids: some Sequence<Int32>) -> String {
        let text = String(decoding: ids.flatMap { bytes(of: $0) }, as: UTF8.self)
        if case .sentencePiece(let pieces) = method, pieces.prefix != .none, text.first == " " {
            return String(text.dropFirst())
        }
        return text
    }
}
