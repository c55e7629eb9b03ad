import Foundation
import HearthAgent
import HearthCompute
import HearthFleet
import HearthIdentity
import HearthKernels
import HearthPolicy

/// What `hearth doctor` looks at.
enum DoctorChecks {
    // MARK: Devices

    static func devices() -> [Finding] {
        let (devices, problem) = Device.list()
        var findings = devices.map { device -> Finding in
            let subject = "device \(device.selector)"
            if let reason = device.unusable {
                return .bad(subject, "\(device.name): \(reason)", "update its driver, or leave it out with devices:")
            }
            return .good(subject, "\(device.name), \(device.driver)")
        }
        let hardware = devices.contains { $0.selector.hasPrefix("vulkan") && $0.kind != .software }
        if let problem {
            findings.append(
                .weak("vulkan", problem, "for GPUs install libvulkan1 and the vendor's driver; the CPU works without"))
        } else if !hardware {
            findings.append(
                .weak(
                    "vulkan", "no hardware GPU is seen", "where there is one, its driver or its permissions are missing"
                ))
        }
        for path in deviceNodes() where access(path, R_OK | W_OK) != 0 {
            findings.append(
                .bad(
                    "permissions", "\(path): \(String(cString: strerror(errno)))",
                    "add this user to the group of that file"))
        }
        if let problem = GEMM.openBLASProblem {
            findings.append(
                .weak("OpenBLAS", problem, "install libopenblas0-pthread; products of the CPU are slower without"))
        } else {
            findings.append(.good("OpenBLAS", "is there"))
        }
        return findings
    }

    private static func deviceNodes() -> [String] {
        let names = { (folder: String) in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] }
        let nvidia = names("/dev").filter { $0 == "nvidiactl" || $0.wholeMatch(of: /nvidia[0-9]+/) != nil }
        return nvidia.sorted().map { "/dev/\($0)" }
            + names("/dev/dri").filter { $0.hasPrefix("renderD") }.sorted().map { "/dev/dri/\($0)" }
    }

    // MARK: Machine

    private static let neededFreeByteCount = UInt64(2) << 30

    static func machine(_ settings: AgentConfig) -> [Finding] {
        var findings: [Finding] = []
        for (subject, path) in [("state", settings.state), ("cache", CacheFolder.url.path)] {
            findings.append(folder(subject, path))
        }
        if settings.sandbox == .off {
            findings.append(.weak("sandbox", "is off", "remove sandbox: off, so that jobs see only what is theirs"))
        } else if let problem = Sandbox.problem {
            let verdict = settings.sandbox == .required ? Finding.Verdict.bad : .weak
            findings.append(
                Finding(
                    subject: "sandbox", verdict: verdict, found: problem,
                    advice: "install bubblewrap; in a container allow user namespaces"))
        } else {
            findings.append(.good("sandbox", "bubblewrap works"))
        }
        findings.append(
            WallClock.isSynchronised
                ? .good("clock", "is synchronised")
                : .weak(
                    "clock", "nothing keeps it right",
                    "enable systemd-timesyncd or chrony: certificates and labels have dates"))
        return findings
    }

    /// Whether the agent can write there, and there is room.
    private static func folder(_ subject: String, _ path: String) -> Finding {
        var place = URL(fileURLWithPath: path)
        while !FileManager.default.fileExists(atPath: place.path), place.path != "/" { place.deleteLastPathComponent() }
        guard access(place.path, W_OK) == 0 else {
            return .bad(
                subject, "\(path) cannot be written: \(String(cString: strerror(errno)))",
                "run this as the agent's user, or give that user the folder")
        }
        var status = statvfs()
        guard statvfs(place.path, &status) == 0 else {
            return .bad(subject, "\(path) cannot be looked at", "check the disk")
        }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        let found = "\(path), \(Figure.gibibytes(free)) free"
        return free >= neededFreeByteCount
            ? .good(subject, found) : .weak(subject, found, "make room: 2 GiB are wanted")
    }

    // MARK: Policy

    static func policy(_ settings: AgentConfig) -> [Finding] {
        let admission: AdmissionConfig?
        do { admission = try AdmissionConfig.read(settings.admission) } catch {
            return [.bad("admission", "\(error)", "correct the file: until then every job that names data is refused")]
        }
        guard let admission else {
            return [
                .weak(
                    "admission", "there is no \(AdmissionConfig.standardPath)",
                    "say where this node is and which labels it trusts; until then nothing is held to labels")
            ]
        }
        let site = admission.site
        var findings = [Finding.good("admission", "site \(site.name) (\(site.kind.rawValue), \(site.country))")]
        do {
            let labels = try LabelFolder(admission.labels, keyFile: admission.trusted)
            let names = try labels.names()
            let problems = names.compactMap { name in labels.known(name).problem.map { "\(name) \($0)" } }
            findings.append(
                problems.isEmpty
                    ? .good("labels", "\(names.count) in \(admission.labels)")
                    : .bad(
                        "labels", problems.prefix(3).joined(separator: "; "),
                        "hearth data list says what is wrong with each"))
        } catch {
            findings.append(
                .bad("labels", "\(error)", "make the folder and the file of trusted keys, readable for this user"))
        }
        return findings
    }

    // MARK: Coordinator

    static func coordinator(_ settings: AgentConfig) async -> [Finding] {
        var findings: [Finding] = []
        let client: CoordinatorClient
        var node = settings.name ?? ProcessInfo.processInfo.hostName
        do {
            if CoordinatorClient.isSecure(settings.coordinator) {
                let credentials = try NodeCredentials.read(settings.state)
                let left = Int(credentials.life(at: Date()).left)
                let found = "\(credentials.identity), good for \(left) s"
                findings.append(
                    left > 0
                        ? .good("certificate", found)
                        : .bad("certificate", "\(credentials.identity) has expired", "run hearth join with a new token")
                )
                node = credentials.identity.name
                client = try CoordinatorClient(url: settings.coordinator, tls: try ClientTLS(credentials))
            } else {
                client = try CoordinatorClient(url: settings.coordinator, token: try TokenFile.read(settings.tokenFile))
            }
            let before = Date()
            let there = try await client.clock()
            let skew = there.timeIntervalSince(before)
            // As this node, which it may not know yet: that is an answer, too.
            let look = PollRequest(waitSeconds: 0, capacity: 0, spooledReports: 0)
            do { _ = try await client.post("/v1/nodes/\(node)/poll", look, as: PollResponse.self) } catch let error
                as CoordinatorClient.Failure where error.status == 404
            {}
            findings.append(.good("coordinator", "\(settings.coordinator) answers, and takes this node's word"))
            if abs(skew) > 60 {
                findings.append(
                    .bad("clock", "the coordinator's differs by \(Int(skew)) s", "set both by the same servers (NTP)"))
            }
        } catch {
            findings.append(.bad("coordinator", "\(error)", "start it, or correct coordinator: and its network"))
        }
        return findings
    }
}
