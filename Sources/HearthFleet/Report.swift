import HearthRoofline

/// One thing that happened on a node. Kept in the agent's spool until the coordinator has stored it.
public enum ReportBody: Sendable, Codable, Hashable {
    case ceilings(value: Ceilings)
    case health(state: NodeHealth, evidence: String?)
    case jobStarted(job: String, attempt: Int)
    /// `text` begins `offset` bytes into the job's log.
    case jobLog(job: String, attempt: Int, offset: Int, text: String)
    case jobFinished(job: String, attempt: Int, outcome: JobOutcome)
}

/// A report with its place in the node's sequence.
public struct Report: Sendable, Codable, Hashable {
    /// Counts up by one, without holes, within one `bootID`.
    public let seq: Int64
    /// The node's clock, seconds since 1970; for people, not for order.
    public let at: Double
    public let body: ReportBody

    public init(seq: Int64, at: Double, body: ReportBody) {
        self.seq = seq
        self.at = at
        self.body = body
    }
}

/// Reports in order. The coordinator stores each `(node, bootID, seq)` once, however often it is sent.
public struct ReportBatch: Sendable, Codable, Hashable {
    /// Names one spool: a new spool starts its sequence again under a new name.
    public let bootID: String
    public let reports: [Report]

    public init(bootID: String, reports: [Report]) {
        self.bootID = bootID
        self.reports = reports
    }
}

/// Everything up to `watermark` is committed; the agent may forget it.
public struct ReportAck: Sendable, Codable, Hashable {
    public let watermark: Int64
    public init(watermark: Int64) { self.watermark = watermark }
}

/// What a node asks for between jobs; doubles as its sign of life.
public struct PollRequest: Sendable, Codable, Hashable {
    /// How long the coordinator may hold the answer back when there is nothing to say.
    public let waitSeconds: Double
    /// Jobs the node can take now.
    public let capacity: Int
    /// Reports still in the spool.
    public let spooledReports: Int
    /// What the node has taken on and not ended; nil: an older agent's.
    public let active: [JobAttempt]?

    public init(waitSeconds: Double, capacity: Int, spooledReports: Int, active: [JobAttempt]? = nil) {
        self.waitSeconds = waitSeconds
        self.capacity = capacity
        self.spooledReports = spooledReports
        self.active = active
    }
}

public struct PollResponse: Sendable, Codable, Hashable {
    /// Attempts assigned to this node that it has not reported as started.
    public let assignments: [Assignment]
    /// Jobs of this node that should end.
    public let cancellations: [String]
    /// Of what the node has: attempts that others have replaced. Nothing of them counts any more.
    public let revocations: [JobAttempt]?
    /// For how long from when it was asked for this answer lets the node have what it has; nil, with revocations: an older coordinator's.
    public let leaseSeconds: Double?

    public init(
        assignments: [Assignment], cancellations: [String], revocations: [JobAttempt] = [], leaseSeconds: Double
    ) {
        self.assignments = assignments
        self.cancellations = cancellations
        self.revocations = revocations
        self.leaseSeconds = leaseSeconds
    }
}

/// A node's wish to put an attempt's output where the job wants it.
public struct Publication: Sendable, Codable, Hashable {
    public let attempt: JobAttempt
    public init(_ attempt: JobAttempt) { self.attempt = attempt }
}

/// How coordinators with the same state are told apart: each start of one has a higher number than all before. What an older one says, after a newer
/// one was heard, does not count.
public enum CoordinatorEpoch {
    /// In a coordinator's answers its own; in a node's requests the highest that it has heard of.
    public static let header = "Hearth-Epoch"
}

/// A piece of a job's log and where the next one begins.
public struct LogChunk: Sendable, Codable, Hashable {
    public let text: String
    public let nextOffset: Int
    /// No more will come.
    public let isComplete: Bool

    public init(text: String, nextOffset: Int, isComplete: Bool) {
        self.text = text
        self.nextOffset = nextOffset
        self.isComplete = isComplete
    }
}

/// The body of every response that is not 2xx.
public struct APIError: Sendable, Codable, Hashable {
    public let error: String
    public init(error: String) { self.error = error }
}
