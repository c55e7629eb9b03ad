/// How far a device can be trusted, by what its probes say, one after the other. One good probe does not make a device well, nor one bad
/// probe ill: it changes state after several in a row, and keeps why.
///
/// ```
/// healthy -1 bad-> suspect -3 bad-> quarantined -2 good-> probation -3 good-> healthy
///         <-2 good-                             <- 1 bad-
/// ```
public struct DeviceHealth: Sendable, Codable, Hashable {
    public enum State: String, Sendable, Codable, CaseIterable {
        case healthy
        /// Something is wrong; it still takes jobs.
        case suspect
        /// It takes no jobs.
        case quarantined
        /// It was quarantined, and takes jobs again on trial.
        case probation
    }

    public private(set) var state = State.healthy
    /// What the last bad probe said; nil while healthy.
    public private(set) var evidence: String?
    /// Probes of one kind on end: bad ones below zero.
    private var run = 0

    static let badBeforeQuarantine = 3
    static let goodBeforeTrial = 2
    static let goodBeforeTrust = [State.suspect: 2, .probation: 3]

    public init() {}

    public var takesJobs: Bool { state != .quarantined }

    /// Takes in one probe.
    ///
    /// - Parameter problem: what it said; nil when all was well.
    /// - Returns: whether the state changed.
    public mutating func observe(_ problem: String?) -> Bool {
        run = problem == nil ? max(run, 0) + 1 : min(run, 0) - 1
        if let problem { evidence = problem }
        let next = next(isGood: problem == nil)
        guard next != state else { return false }
        state = next
        // A new state is earned anew; from suspicion to quarantine the first bad probe counts.
        run = next == .suspect ? -1 : 0
        if next == .healthy { evidence = nil }
        return true
    }

    private func next(isGood: Bool) -> State {
        switch state {
        case .healthy: isGood ? .healthy : .suspect
        case .suspect, .probation:
            if isGood {
                run >= Self.goodBeforeTrust[state]! ? .healthy : state
            } else {
                state == .probation || -run >= Self.badBeforeQuarantine ? .quarantined : .suspect
            }
        case .quarantined: isGood && run >= Self.goodBeforeTrial ? .probation : .quarantined
        }
    }
}

extension NodeHealth {
    /// Of a node whose devices are in these states: the worst.
    public init(_ devices: some Sequence<DeviceHealth.State>) {
        let states = Set(devices)
        let order: [(DeviceHealth.State, NodeHealth)] = [
            (.quarantined, .quarantined), (.suspect, .suspect), (.probation, .probation),
        ]
        self = order.first { states.contains($0.0) }?.1 ?? .healthy
    }
}
