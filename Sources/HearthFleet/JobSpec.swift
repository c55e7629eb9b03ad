import HearthPolicy

/// What a user asks a node to do. Written in YAML (`JobSpec.parse`), sent as JSON.
public struct JobSpec: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Codable, CaseIterable { case generate, serve, bench, probe }

    /// Sampling of `generate`, as in `hearth generate`.
    public struct Sampling: Sendable, Hashable, Codable {
        public var temperature = 0.0
        public var topK = 0
        public var topP = 1.0
        public var minP = 0.0
        public var seed: UInt64 = 0
        public init() {}
    }

    /// What becomes of it where its node and the coordinator lose sight of each other.
    public enum OnPartition: String, Sendable, Codable, CaseIterable {
        /// It runs on, and nobody else gets it before somebody says that the node is lost.
        case keep
        /// It ends itself when its lease runs out, and is given to another node.
        case stop
    }

    public var kind: Kind
    public var name: String
    /// `auto`, `cpu`, `vulkan` or `vulkan:INDEX`.
    public var device: String
    public var timeoutSeconds: Double
    /// When it should have ended, seconds after it was submitted: what placement pays for, where it has to. Nothing is ended at it.
    public var deadlineSeconds: Double?
    public var estimate: JobEstimate?
    /// nil: keep.
    public var onPartition: OnPartition?
    /// What its processes may take together of the host, by control groups; nil: all of it.
    public var memoryGibibytes, cpus: Double?

    /// Names of the datasets that the job reads, and what for: held against their labels before anything is opened.
    public var data: [String]?
    public var purpose: Purpose?

    // generate, serve
    public var model: String?
    /// Tokens of prompt and answer at most, where many are served; the model's own where that is less.
    public var context: Int?
    public static let defaultContext = 8192

    // generate: a prompt, or a file of requests and one for their answers (JSON Lines).
    public var prompt: String?
    public var input, output: String?
    public var isChat = false
    public var maxTokens = 128
    public var sampling = Sampling()

    // serve, as in `hearth serve`
    public var listen: String?
    public var modelName, apiKeys, tlsCertificate, tlsKey: String?

    // bench
    public var workloads: [String] = []
    /// Kernels at one size, run so many times each (`BenchCase`); then no workloads.
    public var cases: [String]?

    public init(kind: Kind, name: String, device: String = "auto", timeoutSeconds: Double = 3600) {
        self.kind = kind
        self.name = name
        self.device = device
        self.timeoutSeconds = timeoutSeconds
    }

    /// What for the job reads what it reads.
    public var readingPurpose: Purpose { purpose ?? .inference }

    /// What is wrong with the values, field first; nil when nothing is. Run on every way in: YAML and HTTP.
    public var problem: String? {
        if name.isEmpty || name.count > 200 { return "name: 1 to 200 characters" }
        if name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
            return "name: control characters are not allowed"
        }
        if !Self.isDevice(device) { return "device: '\(device.prefix(40))' is not auto, cpu, vulkan or vulkan:INDEX" }
        if !JobLimits.timeoutRange.contains(timeoutSeconds) { return "timeoutSeconds: 1 to 2592000" }
        if let deadlineSeconds, !(deadlineSeconds >= 1 && deadlineSeconds <= 30 * 86400) {
            return "deadlineSeconds: 1 to 2592000"
        }
        if let memoryGibibytes, !JobLimits.memoryRange.contains(memoryGibibytes) {
            return "memoryGibibytes: 0.0625 to 1048576"
        }
        if let cpus, !JobLimits.cpuRange.contains(cpus) { return "cpus: 0.1 to 65536" }
        if let problem = estimate?.problem { return problem }
        if let data {
            if data.isEmpty || data.count > 100 || Set(data).count != data.count {
                return "data: 1 to 100 different names"
            }
            if let name = data.first(where: { !FleetName.isValid($0) }) {
                return "data: '\(name.prefix(40))' is no dataset's name"
            }
            if purpose == nil { return "purpose: data is read for training, inference or evaluation" }
        }
        switch kind {
        case .generate: return modelProblem ?? generateProblem
        case .serve: return modelProblem ?? serveProblem
        case .bench: return benchProblem
        case .probe: return nil
        }
    }

    private static func pathProblem(_ field: String, _ path: String?) -> String? {
        guard let path else { return nil }
        return path.hasPrefix("/") ? nil : "\(field): '\(path.prefix(80))' is not an absolute path"
    }

    private var modelProblem: String? {
        guard let model, !model.isEmpty else { return "model: a \(kind.rawValue) job needs a model file" }
        if let context, !(1...1 << 24).contains(context) { return "context: 1 to 16777216" }
        return Self.pathProblem("model", model)
    }

    private var benchProblem: String? {
        if workloads.count > 100 { return "workloads: at most 100" }
        guard let cases else { return nil }
        if !workloads.isEmpty { return "cases: either workloads or cases" }
        return (1...100).contains(cases.count) ? nil : "cases: 1 to 100"
    }

    private var serveProblem: String? {
        for (field, path) in [("apiKeys", apiKeys), ("tlsCertificate", tlsCertificate), ("tlsKey", tlsKey)] {
            if let problem = Self.pathProblem(field, path) { return problem }
        }
        if let listen, (try? ListenAddress(listen)) == nil { return "listen: '\(listen.prefix(80))' is not HOST:PORT" }
        return nil
    }

    private var generateProblem: String? {
        if (input == nil) != (output == nil) { return "input: needs an output beside it, and an output an input" }
        if input != nil {
            if prompt != nil { return "prompt: either a prompt or an input file" }
            if let problem = Self.pathProblem("input", input) ?? Self.pathProblem("output", output) { return problem }
            if input == output { return "output: is the input" }
        } else {
            guard let prompt, !prompt.isEmpty else { return "prompt: a generate job needs a prompt, or an input file" }
            if prompt.utf8.count > 1 << 20 { return "prompt: more than 1 MiB" }
        }
        if !(1...1 << 20).contains(maxTokens) { return "maxTokens: 1 to 1048576" }
        let s = sampling
        if !(s.temperature >= 0 && s.temperature <= 100) { return "temperature: 0 to 100" }
        if s.topK < 0 { return "topK: not negative" }
        // What is asked for is recorded as JSON, whose numbers are doubles.
        if s.seed >= 1 << 53 { return "seed: less than 2^53" }
        if !(s.topP > 0 && s.topP <= 1) { return "topP: above 0, at most 1" }
        if !(s.minP >= 0 && s.minP <= 1) { return "minP: 0 to 1" }
        return nil
    }

    static func isDevice(_ text: String) -> Bool {
        if ["auto", "cpu", "vulkan"].contains(text) { return true }
        guard text.hasPrefix("vulkan:"), let index = Int(text.dropFirst(7)) else { return false }
        return (0..<64).contains(index) && text == "vulkan:\(index)"
    }
}
