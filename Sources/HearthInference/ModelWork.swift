import HearthFormats
import HearthRoofline

/// What a model computes for so many tokens, from its size alone: for predictions, before anything is loaded.
///
/// Two FLOPs a weight and token, and the weights read once a pass; what attention adds is left to what was measured.
public struct ModelWork: Sendable {
    private let parameterCount, byteCount: Int
    public let tokenizer: Tokenizer

    /// Reads the header of the model at `path`. - Throws: `FormatError`.
    public init(path: String) throws {
        let source = try ModelSource(path: path)
        (byteCount, tokenizer) = (source.byteCount, source.tokenizer)
        parameterCount = source.tensors.values.reduce(0) { $0 + $1.shape.reduce(1, *) }
    }

    public init(_ language: LanguageModel) {
        (parameterCount, byteCount, tokenizer) = (language.parameterCount, language.byteCount, language.tokenizer)
    }

    /// Prompt tokens that go through the model together, and answers that do.
    private static let (chunk, together) = (512.0, 8.0)

    private func flops(_ tokens: Int) -> Double { 2 * Double(parameterCount) * Double(tokens) }

    public var load: KernelWork { KernelWork("model.load", Cost(bytesRead: Double(byteCount))) }

    public func prefill(_ tokens: Int) -> KernelWork {
        let passes = (Double(tokens) / Self.chunk).rounded(.up)
        return KernelWork("model.prefill", Cost(flops: flops(tokens), bytesRead: Double(byteCount) * passes), .int8)
    }

    public func decode(_ tokens: Int) -> KernelWork {
        KernelWork("model.decode", Cost(flops: flops(1), bytesRead: Double(byteCount)), .int8, launches: max(1, tokens))
    }

    /// Many requests, answered side by side.
    public func batch(promptTokens: Int, answerTokens: Int) -> KernelWork {
        let passes = Double(promptTokens) / Self.chunk + Double(answerTokens) / Self.together
        return KernelWork(
            "model.batch",
            Cost(flops: flops(promptTokens + answerTokens), bytesRead: Double(byteCount) * passes.rounded(.up)), .int8)
    }

    /// Of the device, at least: the weights. Less cannot do.
    public var memoryByteCount: Double { Double(byteCount) }
}
