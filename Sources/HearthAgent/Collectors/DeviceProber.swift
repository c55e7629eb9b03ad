import Foundation
import HearthFleet
import HearthPolicy
import HearthRoofline
import HearthStore
import Logging
import ServiceLifecycle

/// Finds the node's devices and measures them, always in a child with a deadline: a driver that hangs costs a child.
actor DeviceProber: Service {
    private let store: AgentStore
    private let folder: URL
    private let config: AgentConfig
    private let node: String
    private let site: Site?
    private let logger: Logger
    private(set) var devices: [DeviceSummary]?
    private(set) var ceilings: [Ceilings] = []
    private(set) var health = NodeHealth.starting
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

    func registration() -> NodeRegistration? {
        devices.map {
            NodeRegistration(
                node: node, bootID: store.bootID, version: HearthVersion.current, devices: $0, site: site)
        }
    }

    nonisolated func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await self.round() } catch is CancellationError { return } catch {
                    self.logger.error("probing failed", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: .seconds(30))
            }
        }
    }

    /// Measures every device that is due.
    private func round() async throws {
        if devices == nil { try await findDevices() }
        var problems: [String] = []
        for device in chosenDevices() {
            // Not beside a job: both figures would be wrong.
            while try await !store.activeJobs().isEmpty { try await Task.sleep(for: .milliseconds(500)) }
            if let problem = try await measure(device) { problems.append(problem) }
        }
        let state: NodeHealth = problems.isEmpty ? .healthy : .suspect
        let evidence = problems.isEmpty ? nil : problems.joined(separator: "; ")
        if state != health || !problems.isEmpty { try await store.enqueue(.health(state: state, evidence: evidence)) }
        health = state
        isReady = true
    }

    private struct Listing: Decodable { let devices: [DeviceSummary] }

    private func findDevices() async throws {
        do {
            devices = try await child("devices", ["devices", "--json"], deadline: 60, as: Listing.self).devices
        } catch let error as ProbeProblem {
            devices = []
            health = .suspect
            try await store.enqueue(.health(state: .suspect, evidence: error.text))
            logger.error("listing devices failed", metadata: ["problem": "\(error.text)"])
        }
    }

    private func chosenDevices() -> [String] {
        let usable = (devices ?? []).filter { $0.unusable == nil }
        if config.devices.isEmpty { return usable.filter { $0.kind != "software" }.map(\.selector) }
        return config.devices
    }

    /// - Returns: what is wrong with the device; nil when its ceilings are known.
    private func measure(_ device: String) async throws -> String? {
        let key = "ceilings \(device)"
        if let stored = try await store.value(key),
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
            return nil
        } catch let problem as ProbeProblem {
            logger.error("probe failed", metadata: ["device": "\(device)", "problem": "\(problem.text)"])
            return "\(device): \(problem.text)"
        }
    }

    private func remember(_ measured: Ceilings) {
        ceilings.removeAll { $0.device == measured.device }
        ceilings.append(measured)
    }

    private struct ProbeProblem: Error { let text: String }

    /// Runs `hearth ARGUMENTS` and reads the JSON it prints.
    private func child<T: Decodable>(_ name: String, _ arguments: [String], deadline: Double, as type: T.Type)
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
