import Foundation
import HearthFleet
import HearthPolicy
import HearthRoofline
import HearthStore
import Logging
import ServiceLifecycle

/// Finds the node's devices and measures them, always in a child with a deadline: a driver that hangs costs a child.
actor DeviceProber: Service {
    let store: AgentStore
    private let folder: URL
    nonisolated let config: AgentConfig
    private let node: String
    private let site: Site?
    let logger: Logger
    private(set) var devices: [DeviceSummary]?
    private(set) var ceilings: [Ceilings] = []
    private(set) var health = NodeHealth.starting
    private var saidEvidence = ""
    /// Why it is not known which devices there are.
    private var listingProblem: String?
    /// What a GPU's driver says is wrong.
    private var graphicsProblem: String?
    /// Of each device that is measured.
    private var deviceHealth: [String: DeviceHealth] = [:]
    /// Of each device whose speed is known, and when it was last checked.
    var speeds: [String: SpeedWatch] = [:]
    var speedCheckedAt: [String: ContinuousClock.Instant] = [:]
    var speedChecks: [SpeedCheckOutcome: Int] = [:]
    /// True once every device was probed or given up on.
    private(set) var isReady = false

    init(store: AgentStore, folder: URL, config: AgentConfig, node: String, site: Site?, logger: Logger) {
        self.store = store
        self.folder = folder
        self.config = config
        self.node = node
        self.site = site
        self.logger = logger
    }

    /// A device in quarantine is there and not to be used.
    func registration() -> NodeRegistration? {
        devices.map { devices in
            let offered = devices.map { found in
                // Jobs are held to it: those that need more go elsewhere.
                let limit = found.selector == "cpu" ? config.jobLimits.memoryGibibytes : nil
                let device = limit.map { found.limited(toMemory: UInt64($0 * Double(1 << 30))) } ?? found
                guard let health = deviceHealth[device.selector], !health.takesJobs else { return device }
                return device.barred(for: "quarantined: \(health.evidence ?? "no reason was given")")
            }
            return NodeRegistration(
                node: node, bootID: store.bootID, version: HearthVersion.current, devices: offered, site: site)
        }
    }

    nonisolated func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await self.round() } catch is CancellationError { return } catch {
                    self.logger.error("probing failed", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: .seconds(self.config.probeAgainSeconds))
            }
        }
    }

    /// Measures every device that is due.
    private func round() async throws {
        if devices == nil { try await findDevices() }
        for device in chosenDevices() {
            // Not beside a job: both figures would be wrong.
            while try await !store.activeJobs().isEmpty { try await Task.sleep(for: .milliseconds(500)) }
            speeds[device] = try await knownSpeed(of: device)
            var health = try await knownHealth(of: device)
            // What is not well is asked again, however young its last figures are.
            let isDue = health.state != .healthy
            guard let probe = try await measure(device, isDue: isDue) else {
                try await checkSpeed(of: device)
                continue
            }
            if health.observe(probe.problem) {
                logger.notice(
                    "device is \(health.state)",
                    metadata: ["device": "\(device)", "evidence": "\(health.evidence ?? "")"])
            }
            deviceHealth[device] = health
            try await store.set("health \(device)", try JSONColumn.encode(health))
        }
        isReady = true
        try await sayHealth()
    }

    /// As it was before the agent was started anew.
    private func knownHealth(of device: String) async throws -> DeviceHealth {
        if let known = deviceHealth[device] { return known }
        let stored = try await store.value("health \(device)")
        let health = stored.flatMap { try? JSONColumn.decode(DeviceHealth.self, $0) } ?? DeviceHealth()
        deviceHealth[device] = health
        return health
    }

    func sayHealth() async throws {
        let slow = speeds.sorted { $0.key < $1.key }
            .compactMap { device, watch in watch.slowness.map { "\(device) is slow: \($0)" } }
        let others = [listingProblem, graphicsProblem].compactMap(\.self)
        let isSuspect = !others.isEmpty || !slow.isEmpty
        let state = NodeHealth(deviceHealth.values.map(\.state) + (isSuspect ? [.suspect] : []))
        let devices = deviceHealth.sorted { $0.key < $1.key }
            .compactMap { device, health in health.evidence.map { "\(device) is \(health.state): \($0)" } }
        let evidence = (others + devices + slow).joined(separator: "; ")
        guard state != health || evidence != saidEvidence else { return }
        let before = (health, saidEvidence)
        // At once: another may come to say its own meanwhile.
        (health, saidEvidence) = (state, evidence)
        do { try await store.enqueue(.health(state: state, evidence: evidence.isEmpty ? nil : evidence)) } catch {
            if (health, saidEvidence) == (state, evidence) { (health, saidEvidence) = before }
            throw error
        }
    }

    /// - Parameter problem: nil: there is none any more.
    func graphicsChanged(_ problem: String?) async {
        graphicsProblem = problem
        // Until its devices are measured a node is starting, whatever else.
        guard isReady else { return }
        do { try await sayHealth() } catch {
            logger.error("health cannot be written down", metadata: ["error": "\(error)"])
        }
    }

    private struct Listing: Decodable { let devices: [DeviceSummary] }

    private func findDevices() async throws {
        do {
            devices = try await child("devices", ["devices", "--json"], deadline: 60, as: Listing.self).devices
        } catch let error as ProbeProblem {
            (devices, listingProblem) = ([], error.text)
            logger.error("listing devices failed", metadata: ["problem": "\(error.text)"])
        }
    }

    private func chosenDevices() -> [String] {
        let usable = (devices ?? []).filter { $0.unusable == nil }
        if config.devices.isEmpty { return usable.filter { $0.kind != "software" }.map(\.selector) }
        return config.devices
    }

    private struct Probe { let problem: String? }

    /// - Returns: how a probe went; nil where none was due.
    private func measure(_ device: String, isDue: Bool) async throws -> Probe? {
        let key = "ceilings \(device)"
        if !isDue, let stored = try await store.value(key),
            let known = try? JSONColumn.decode(Ceilings.self, stored),
            Date().timeIntervalSince1970 - known.measuredAt < config.probeEverySeconds
        {
            remember(known)
            return nil
        }
        logger.info("measuring ceilings", metadata: ["device": "\(device)"])
        do {
            let measured = try await child(
                "probe", ["probe", "--json", "--device", device], deadline: config.probeDeadlineSeconds,
                as: Ceilings.self)
            try await store.enqueue(.ceilings(value: measured))
            try await store.set(key, try JSONColumn.encode(measured))
            remember(measured)
            return Probe(problem: nil)
        } catch let problem as ProbeProblem {
            logger.error("probe failed", metadata: ["device": "\(device)", "problem": "\(problem.text)"])
            return Probe(problem: problem.text)
        }
    }

    private func remember(_ measured: Ceilings) {
        ceilings.removeAll { $0.device == measured.device }
        ceilings.append(measured)
    }

    struct ProbeProblem: Error { let text: String }

    /// Runs `hearth ARGUMENTS` and reads the JSON it prints.
    func child<T: Decodable>(_ name: String, _ arguments: [String], deadline: Double, as type: T.Type)
        async throws -> T
    {
        let child = ChildProcess(folder: folder.appending(path: "\(name)-\(UUID().uuidString)"))
        defer { child.remove() }
        do { try child.start(arguments) } catch { throw ProbeProblem(text: "\(error)") }
        guard try await child.wait(deadlineSeconds: deadline) else {
            throw ProbeProblem(text: "the probe did not end within \(deadline) s and was killed")
        }
        let output = (try? Data(contentsOf: child.logFile)) ?? Data()
        // Progress lines come before the object.
        guard let start = output.firstIndex(of: UInt8(ascii: "{")),
            let value = try? JSONDecoder().decode(type, from: output[start...])
        else { throw ProbeProblem(text: String(decoding: output.suffix(300), as: UTF8.self)) }
        return value
    }
}
