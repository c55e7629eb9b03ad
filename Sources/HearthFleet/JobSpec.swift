/// What a user asks a node to do. Written in YAML (`JobSpec.parse`), sent as JSON.
public struct JobSpec: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Codable, CaseIterable { case generate, bench, probe }

    /// Sampling of `generate`, as in `hearth generate`.
    public struct Sampling: Sendable, Hashable, Codable {
        public var temperature = 0.0
        public var topK = 0
        public var topP = 1.0
        public var minP = 0.0
        public var seed: UInt64 = 0
        public init() {}
    }

    public var kind: Kind
    public var name: String
    /// `auto`, `cpu`, `vulkan` or `vulkan:INDEX`.
    public var device: String
    public var timeoutSeconds: Double

    // generate
    public var model: String?
    public var prompt: String?
    public var isChat = false
    public var maxTokens = 128
    public var sampling = Sampling()

    // bench
    public var workloads: [String] = []

    public init(kind: Kind, name: String, device: String = "auto", timeoutSeconds: Double = 3600) {
        self.kind = kind
        self.name = name
        self.device = device
        self.timeoutSeconds = timeoutSeconds
    }

    /// What is wrong with the values, field first; nil when nothing is. Run on every way in: YAML and HTTP.
    public var problem: String? {
        if name.isEmpty || name.count > 200 { return "name: 1 to 200 characters" }
        if name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
            return "name: control characters are not allowed"
        }
        if !Self.isDevice(device) { return "device: '\(device.prefix(40))' is not auto, cpu, vulkan or vulkan:INDEX" }
        if !(timeoutSeconds >= 1 && timeoutSeconds <= 30 * 86400) { return "timeoutSeconds: 1 to 2592000" }
        switch kind {
        case .generate: return generateProblem
        case .bench: return workloads.count > 100 ? "workloads: at most 100" : nil
        case .probe: return nil
        }
    }

    private var generateProblem: String? {
        guard let model, !model.isEmpty else { return "model: a generate job needs a model file" }
        if !model.hasPrefix("/") { return "model: '\(model.prefix(80))' is not an absolute path" }
        guard let prompt, !prompt.isEmpty else { return "prompt: a generate job needs a prompt" }
        if prompt.utf8.count > 1 << 20 { return "prompt: more than 1 MiB" }
        if !(1...1 << 20).contains(maxTokens) { return "maxTokens: 1 to 1048576" }
        let s = sampling
        if !(s.temperature >= 0 && s.temperature <= 100) { return "temperature: 0 to 100" }
        if s.topK < 0 { return "topK: not negative" }
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
