import HearthCompute
import HearthRoofline

/// Times a model as llama-bench does: prompts of so many tokens read at once, and so many tokens made one by one.
public struct LanguageBench {
    public struct Options: Sendable {
        public var promptTokens: [Int] = [512]
        public var generatedTokens: [Int] = [128]
        /// Tokens that are in the cache before: of each, all tests.
        public var depths: [Int] = [0]
        public var repetitions = 5
        public var cache = DType.f16

        public init() {}
    }

    public struct Result: Sendable, Codable, Hashable {
        public let model: String
        public let modelBytes, parameters: Int
        public let device, deviceName: String
        public let threads: Int?
        /// pp: a prompt read, tg: tokens generated; then how many, and after how many others where there are some.
        public let test: String
        public let tokens, depth: Int
        public let tokensPerSecond: MeasuredValue
        public let seconds: MeasuredValue
        /// Of the median run, against the device's measured ceilings.
        public let achieved: Achievement
        /// What the ceilings allow.
        public let predictedSeconds: Double?
        /// Predicted over measured: 1 is the roofline.
        public var shareOfRoofline: Double? { predictedSeconds.map { $0 / seconds.median } }
    }

    private let language: LanguageModel
    private let ceilings: Ceilings?
    private let options: Options

    /// - Throws: `GenerationError` for tests that the context cannot hold, or that are none.
    public init(_ language: LanguageModel, ceilings: Ceilings?, _ options: Options = .init()) throws(GenerationError) {
        (self.language, self.ceilings, self.options) = (language, ceilings, options)
        let largest = (options.promptTokens + options.generatedTokens).max() ?? 0
        guard (options.promptTokens + options.generatedTokens + [options.repetitions]).allSatisfy({ $0 > 0 }),
            !options.depths.isEmpty, options.depths.allSatisfy({ $0 >= 0 }), largest > 0
        else { throw GenerationError(description: "tests and repetitions are counted from 1, depths from 0") }
        guard largest + options.depths.max()! <= language.contextLength else {
            throw GenerationError(
                description:
                    "\(largest) tokens at depth \(options.depths.max()!) exceed the context of \(language.contextLength)"
            )
        }
    }

    /// - Parameter progress: a test's name, and which of its repetitions begins.
    public func run(
        _ progress: (String, Int) -> Void = { _, _ in }, onResult: (Result) -> Void = { _ in }
    ) throws(DeviceError) {
        for depth in options.depths {
            for count in options.promptTokens { onResult(try measure("pp", count, depth, progress)) }
            for count in options.generatedTokens { onResult(try measure("tg", count, depth, progress)) }
        }
    }

    private func measure(
        _ kind: String, _ count: Int, _ depth: Int, _ progress: (String, Int) -> Void
    ) throws(DeviceError) -> Result {
        let test = "\(kind)\(count)" + (depth > 0 ? " @ \(depth)" : "")
        var runs: [DecodeSession.Usage] = []
        // The first warms up.
        for repetition in 0...options.repetitions {
            progress(test, repetition)
            let usage = try run(kind, repetition == 0 ? min(count, 64) : count, depth)
            if repetition > 0 { runs.append(usage) }
        }
        runs.sort { $0.seconds < $1.seconds }
        let seconds = MeasuredValue(samples: runs.map(\.seconds))!
        let middle = runs[runs.count / 2]
        return Result(
            model: language.name, modelBytes: language.byteCount, parameters: language.parameterCount,
            device: language.device.selector, deviceName: language.device.description.name,
            threads: language.device.cpuThreadCount, test: test, tokens: count, depth: depth,
            tokensPerSecond: MeasuredValue(samples: runs.map { Double(count) / $0.seconds })!, seconds: seconds,
            achieved: Achievement(kernels: middle.kernels, seconds: middle.seconds, ceilings: ceilings),
            predictedSeconds: ceilings?.predictedSeconds(for: middle.kernels, submissions: middle.submissions))
    }

    private func run(_ kind: String, _ count: Int, _ depth: Int) throws(DeviceError) -> DecodeSession.Usage {
        let session = try DecodeSession(
            language, capacity: (depth + count + 63) / 64 * 64, cache: options.cache)
        if depth > 0 { _ = try session.advance(tokens(depth), .largest) }
        if kind == "pp" { return try session.advance(tokens(count), .largest).1 }
        var usage = DecodeSession.Usage()
        for id in tokens(count) { usage += try session.advance([id], .largest).1 }
        return usage
    }

    /// The same tokens every time, spread over the vocabulary.
    private func tokens(_ count: Int) -> [Int32] {
        (0..<count).map { Int32(($0 * 7919 + 17) % language.config.vocabularySize) }
    }
}
