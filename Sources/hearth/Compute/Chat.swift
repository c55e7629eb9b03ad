import ArgumentParser
import Foundation
import HearthCompute
import HearthFormats
import HearthInference

struct Chat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Talk with a language model in the terminal.",
        discussion:
            "A line is a message; Ctrl-C ends an answer, Ctrl-D or /exit the talk. /clear forgets it, /system TEXT begins anew under that instruction."
    )

    @Option(help: "A GGUF file, or a folder with config.json, tokenizer.json and safetensors.") var model: String
    @Option(help: "Instruction that the talk stands under.") var system: String?
    @Option(help: "Tokens of an answer at most.") var maxTokens = 1024
    @Option(help: "0 is greedy.") var temperature = 0.7
    @Option(help: "Keep the likeliest tokens up to probability P.") var topP = 0.95
    @Option(help: "Drop tokens less likely than this share of the likeliest.") var minP = 0.0
    @Option(help: "Seed of the sampler: the same talk again on the CPU.") var seed: UInt64 = 0
    @Option(help: "Tokens of the whole talk at most; the model's own context where that is less.") var context = 8192
    @OptionGroup var options: DeviceOptions

    private var sampling: SamplingOptions {
        SamplingOptions(temperature: temperature, topP: topP, minP: minP, seed: seed)
    }

    func validate() throws {
        if let problem = sampling.problem { throw ValidationError(problem) }
        for (name, value) in [("max-tokens", maxTokens), ("context", context)] where !(1...1 << 24).contains(value) {
            throw ValidationError("--\(name) \(value) is not in 1...2^24")
        }
    }

    func run() async throws {
        let device = try options.open()
        let language = try LanguageModel.load(model, on: device, context: context)
        var engineOptions = Engine.Options()
        // Two contexts: what is said next begins as what was said before.
        engineOptions.maxSequences = 2
        let engine = try Engine(language, engineOptions)
        defer { engine.stop() }
        var talk = Talk(engine: engine, sampling: sampling, maxTokens: maxTokens)
        try talk.begin(system: system)
        let isTerminal = isatty(0) == 1
        if isTerminal { Terminal.error("\(language.name) on \(device.description.name); /help says what can be done") }
        while true {
            if isTerminal { Terminal.out("> ", terminator: "") }
            guard let line = readLine() else { break }
            let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
            switch words.first {
            case nil: continue
            case "/exit", "/quit": return
            case "/clear": talk.forget()
            case "/system":
                do { try talk.begin(system: words.count > 1 ? String(words[1]) : nil) } catch {
                    Terminal.error("hearth: \(error)")
                }
            case "/help": Terminal.error(Self.configuration.discussion)
            case let word? where word.hasPrefix("/"): Terminal.error("no command \(word); /help says what there is")
            default:
                do { try await talk.say(line) } catch { Terminal.error("hearth: \(error)") }
            }
        }
        if isTerminal { Terminal.out("") }
    }
}

/// One conversation and what is needed to go on with it.
private struct Talk {
    let engine: Engine
    let sampling: SamplingOptions
    let maxTokens: Int
    private(set) var system: String?
    private var messages: [ChatTemplate.Message] = []

    init(engine: Engine, sampling: SamplingOptions, maxTokens: Int) {
        (self.engine, self.sampling, self.maxTokens) = (engine, sampling, maxTokens)
    }

    /// - Throws: what the model's template says of such a conversation, where it has none or takes no instructions.
    mutating func begin(system: String?) throws {
        let begun = system.map { [ChatTemplate.Message(role: "system", content: $0)] } ?? []
        _ = try engine.language.chatPrompt(begun + [.init(role: "user", content: "")])
        (self.system, messages) = (system, begun)
    }

    mutating func forget() { messages.removeAll { $0.role != "system" } }

    /// Answers `text` on the terminal. What has no answer is no part of the conversation.
    mutating func say(_ text: String) async throws {
        let asked = messages + [ChatTemplate.Message(role: "user", content: text)]
        let prompt = try engine.language.chatPrompt(asked)
        let room = engine.language.contextLength - prompt.count
        guard room > 0 else {
            return Terminal.error(
                "the talk fills the context of \(engine.language.contextLength) tokens; /clear forgets it")
        }
        let request = EngineRequest(prompt: prompt, maxTokens: min(maxTokens, room), sampling: sampling)
        let events = try engine.submit(request)
        let started = ContinuousClock.now
        let answering = Task {
            var answer = ""
            for await event in events {
                switch event {
                case .token(let token):
                    Terminal.out(token.text, terminator: "")
                    answer += token.text
                case .embedding: break
                case .finished(let finish):
                    Terminal.out(finish.text)
                    return (answer + finish.text, finish as EngineEvent.Finish?)
                }
            }
            Terminal.out("")
            return (answer, nil)
        }
        let (answer, finish) = await Interrupts.ending(answering)
        if !answer.isEmpty { messages = asked + [.init(role: "assistant", content: answer)] }
        guard let finish else { return }
        if let problem = finish.problem { return Terminal.error("hearth: \(problem)") }
        guard Terminal.errorIsTerminal else { return }
        let seconds = (ContinuousClock.now - started).seconds
        let ending = finish.reason == .length ? ", cut off at its largest length" : ""
        let rate = Double(finish.completionTokens) / seconds
        Terminal.error(
            String(
                format: "(%d of %d tokens new, %.2f s to the first, %d tokens at %.1f tokens/s%@)",
                finish.promptTokens - finish.cachedTokens, finish.promptTokens, finish.timeToFirstTokenSeconds,
                finish.completionTokens, rate, ending))
    }
}

/// Ctrl-C ends what is being answered, not the program.
private enum Interrupts {
    static func ending<T: Sendable>(_ task: Task<T, Never>) async -> T {
        let before = signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler { task.cancel() }
        source.resume()
        let value = await task.value
        source.cancel()
        signal(SIGINT, before)
        return value
    }
}
