import HearthGrammar

/// What the engine is asked for: a prompt as tokens, and how to go on.
public struct EngineRequest: Sendable {
    public var prompt: [Int32]
    public var maxTokens: Int
    public var sampling: SamplingOptions
    /// Text that ends the answer; it is not part of it.
    public var stops: [String]
    /// Goes on past the model's end of text, up to `maxTokens`: for measurements.
    public var ignoresEnd = false
    /// How many likeliest tokens are reported beside each one chosen; nil reports no log-probabilities.
    public var logProbabilities: Int?
    /// All events come together at the end: on few cores, waking somebody for every token holds up the next.
    public var arrivesWhole = false
    /// What the answer must be; nil for any text.
    public var grammar: Grammar?
    /// Reads the prompt only, and answers with its embedding: the mean over tokens of what the output layer reads, of length 1.
    public var embeds = false
    /// Whose turn it is: requests wait in turns of clients, not in one line.
    public var client: String

    public init(
        prompt: [Int32], maxTokens: Int, sampling: SamplingOptions = .init(), stops: [String] = [],
        logProbabilities: Int? = nil, client: String = ""
    ) {
        (self.prompt, self.maxTokens, self.sampling) = (prompt, maxTokens, sampling)
        (self.stops, self.logProbabilities, self.client) = (stops, logProbabilities, client)
    }
}

/// A token with the logarithm of its probability, before sampling's filters and after its biases' absence: the model's own.
public struct TokenLogProbability: Sendable, Hashable {
    public let id: Int32
    public let logProbability: Double
}

/// What comes back, in order: tokens, then one end.
public enum EngineEvent: Sendable {
    /// Text that became certain with this token; it may be empty, and what stop strings held back comes with a later one.
    case token(Token)
    /// What `embeds` asked for, before its end.
    case embedding([Float])
    case finished(Finish)

    public struct Token: Sendable {
        public let id: Int32
        public let text: String
        public let logProbability: Double?
        public let likeliest: [TokenLogProbability]
    }

    public struct Finish: Sendable {
        public enum Reason: String, Sendable {
            case stop, length, failed
            /// Of the request itself it turned out that it cannot be served.
            case refused
        }
        public let reason: Reason
        /// Text that stop strings held back.
        public let text: String
        public let promptTokens, cachedTokens, completionTokens: Int
        public let timeToFirstTokenSeconds: Double
        /// What went wrong, where the reason is `failed` or `refused`.
        public let problem: String?
    }
}

/// Why a request was not taken.
public struct EngineRejection: Error, Sendable, CustomStringConvertible {
    public enum Reason: Sendable {
        /// It can never be served as asked.
        case invalid
        /// Too many wait: come back after so many seconds.
        case busy(retryAfterSeconds: Int)
        case stopping
    }
    public let reason: Reason
    public let description: String
}
