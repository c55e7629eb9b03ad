import Foundation
import HearthCompute
import HearthFormats
import HearthGrammar
import HearthKernels
import HearthModels
import Synchronization

/// A model file ready to run on one device: weights, tokenizer, chat template.
public final class LanguageModel: Sendable {
    public typealias Activations = PackedWeights.Activations

    public let path: String
    public let name: String
    public let tokenizer: Tokenizer
    public let config: ModelConfig
    public let device: Device
    public let contextLength: Int
    /// Of the file, and elements of all its tensors.
    public let byteCount, parameterCount: Int
    let model: Transformer
    let endIDs: Set<Int32>
    /// As it was read; an error comes when it is needed: text completions do without.
    private let template: Result<ChatTemplate, ChatTemplateError>?

    private let trie = Mutex<TokenTrie?>(nil)

    /// Tokens that end a reply by their name, besides the file's own end-of-sequence.
    private static let endNames = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>"]

    /// - Parameters:
    ///   - contextLength: at most the model's own; nil means that.
    ///   - activations: how activations meet quantised weights on the CPU.
    ///   - progress: share of the weights that is on the device.
    public init(
        path: String, device: Device, contextLength: Int? = nil, activations: Activations = .int8,
        progress: @escaping (Double) -> Void = { _ in }
    ) throws {
        let gguf = try GGUFFile(path: path)
        self.path = path
        self.device = device
        byteCount = gguf.file.bytes.count
        parameterCount = gguf.tensors.values.reduce(0) { $0 + $1.shape.reduce(1, *) }
        tokenizer = try Tokenizer(gguf)
        config = try ModelConfig(gguf, vocabularySize: tokenizer.vocabularySize)
        self.contextLength = min(contextLength ?? config.contextLength, config.contextLength)
        name =
            (try? gguf.string("general.name")) ?? URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        model = try Transformer(
            gguf, config: config, device: device, positions: self.contextLength, activations: activations,
            progress: progress)
        template = (try? gguf.string("tokenizer.chat_template")).map { text in
            Result { () throws(ChatTemplateError) in try ChatTemplate(text) }
        }
        endIDs = Set(
            [tokenizer.eosID].compactMap { $0 } + Self.endNames.compactMap { [tokenizer] in tokenizer.id(ofToken: $0) })
    }

    /// The texts of all tokens, for grammars; made when first needed.
    var tokenTexts: TokenTrie {
        trie.withLock { known in
            if let known { return known }
            let texts = (0..<Int32(tokenizer.vocabularySize)).map { tokenizer.bytes(of: $0) }
            let made = TokenTrie(texts)
            known = made
            return made
        }
    }

    /// The prompt that the model's chat template makes of `messages`. Control tokens that their texts spell out stay text.
    ///
    /// - Throws: `FormatError` when the model has no template, `ChatTemplateError` when it refuses the messages.
    public func chatPrompt(_ messages: [ChatTemplate.Message]) throws -> [Int32] {
        guard let template else { throw FormatError(file: path, "the model has no chat template") }
        let guarded = messages.map {
            ChatTemplate.Message(role: tokenizer.disarmed($0.role), content: tokenizer.disarmed($0.content))
        }
        return tokenizer.encode(try template.get().render(guarded, addGenerationPrompt: true), parsesControl: true)
    }
}
