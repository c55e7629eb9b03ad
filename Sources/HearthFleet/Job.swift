import HearthJSON
import HearthRoofline

/// Where a job stands. `queued -> assigned -> running -> succeeded | failed | cancelled`.
public enum JobState: String, Sendable, Codable, CaseIterable {
    case queued, assigned, running, succeeded, failed, cancelled

    public var isFinal: Bool { self == .succeeded || self == .failed || self == .cancelled }
}

/// How one attempt at a job ended: written by `hearth run`, believed over everything else.
public struct JobOutcome: Sendable, Hashable, Codable {
    public var exitCode: Int32
    /// Why it failed; nil on success.
    public var message: String?
    public var device: String?
    public var deviceName: String?
    public var actualSeconds: Double
    /// From the device's measured ceilings and the kernels' costs; nil when nothing was predicted.
    public var predictedSeconds: Double?
    /// Named figures in base units, for example `decode_tokens_per_second`.
    public var figures: [String: Double]
    /// What the job read, as its labels were, and by which rule it might.
    public var data: [DataUse]?
    public var decision: String?
    /// What its kernels took, for the predictions of others.
    public var kernels: [KernelTime]?
    /// What it worked with, by contents.
    public var model, input, output: FileUse?
    /// Modelled, of its kernels; and measured, where the machine has counters.
    public var flops, energyJoules: Double?
    /// Processor cores that others took meanwhile: what its times are worth, where the device is the processor.
    public var otherCores: Double?
    /// It ended itself because its lease ran out: it is given to another node.
    public var lostLease: Bool?
    /// A probe job's result.
    public var ceilings: Ceilings?

    public init(exitCode: Int32, message: String? = nil, actualSeconds: Double, figures: [String: Double] = [:]) {
        self.exitCode = exitCode
        self.message = message
        self.actualSeconds = actualSeconds
        self.figures = figures
    }
}

extension JobOutcome {
    /// What the machine drew meanwhile, by its own counters; nil where it has none, or where they say little of so short a time.
    public var watts: Double? {
        guard let energyJoules, energyJoules > 0, actualSeconds >= 1 else { return nil }
        let watts = energyJoules / actualSeconds
        // No machine draws a megawatt.
        return watts < 1e6 ? watts : nil
    }

    /// Takes out what cannot be: a node says it, and others reckon with it.
    public mutating func keepPlausible() {
        func isTime(_ seconds: Double) -> Bool { seconds >= 0 && seconds <= 1e9 }
        if !isTime(actualSeconds) { actualSeconds = 0 }
        kernels = kernels?.filter { isTime($0.seconds) && $0.work.problem == nil }
        func file(_ file: FileUse?) -> FileUse? { file.flatMap { $0.isPlausible ? $0 : nil } }
        (model, input, output) = (file(model), file(input), file(output))
        if let flops, !(flops >= 0 && flops < 1e30) { self.flops = nil }
        if let otherCores, !(otherCores >= 0 && otherCores <= 1e6) { self.otherCores = nil }
        if let energyJoules, !(energyJoules >= 0 && energyJoules < 1e15) { self.energyJoules = nil }
    }
}

/// A file that a job read or wrote.
public struct FileUse: Sendable, Hashable, Codable {
    public let path: String
    /// 64 hexadecimal digits; of a model's folder, over a line for each of its files.
    public let sha256: String

    public init(path: String, sha256: String) { (self.path, self.sha256) = (path, sha256) }

    var isPlausible: Bool {
        (1...4096).contains(path.utf8.count) && sha256.utf8.isHexadecimal(64)
    }
}

/// A dataset that a job read: its label at the time.
public struct DataUse: Sendable, Hashable, Codable {
    public let name: String
    /// nil: it had no label.
    public let version: Int?
    public let tier: String?
    /// SHA-256 of the label, and so of what its files are.
    public let label: String?

    public init(name: String, version: Int?, tier: String?, label: String?) {
        (self.name, self.version, self.tier, self.label) = (name, version, tier, label)
    }
}

/// A job as the coordinator knows it.
public struct JobRecord: Sendable, Codable, Hashable {
    public var id: String
    public var spec: JobSpec
    public var state: JobState
    public var node: String?
    public var attempt: Int
    /// Seconds since 1970.
    public var submittedAt: Double
    public var startedAt: Double?
    public var finishedAt: Double?
    public var outcome: JobOutcome?
    /// Why a queued job still waits.
    public var waitingFor: String?
    /// What was expected when it was placed, and what it cost, by the price list; nil where that is not known.
    public var predictedSeconds, cost: Double?

    public init(id: String, spec: JobSpec, state: JobState, attempt: Int, submittedAt: Double) {
        self.id = id
        self.spec = spec
        self.state = state
        self.attempt = attempt
        self.submittedAt = submittedAt
    }
}

/// One of the times that a job is given to a node. Each later one replaces those before.
public struct JobAttempt: Sendable, Codable, Hashable {
    public let job: String
    public let attempt: Int

    public init(job: String, attempt: Int) { (self.job, self.attempt) = (job, attempt) }
}

/// One attempt of a job handed to a node.
public struct Assignment: Sendable, Codable, Hashable {
    public let job: String
    public let attempt: Int
    public let spec: JobSpec

    public init(job: String, attempt: Int, spec: JobSpec) {
        self.job = job
        self.attempt = attempt
        self.spec = spec
    }

    public var id: JobAttempt { JobAttempt(job: job, attempt: attempt) }
}
