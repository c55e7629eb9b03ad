import ArgumentParser
import Foundation
import HearthAgent
import HearthFleet

/// One thing looked at: how it is, and what to do about it.
struct Finding: Encodable {
    enum Verdict: String, Encodable {
        case good
        /// Works, but not as well as it could.
        case weak
        /// Something will not work.
        case bad
    }

    let subject: String
    let verdict: Verdict
    let found: String
    /// What to do; nil where nothing is to be done.
    let advice: String?

    static func good(_ subject: String, _ found: String) -> Self {
        Self(subject: subject, verdict: .good, found: found, advice: nil)
    }
    static func weak(_ subject: String, _ found: String, _ advice: String) -> Self {
        Self(subject: subject, verdict: .weak, found: found, advice: advice)
    }
    static func bad(_ subject: String, _ found: String, _ advice: String) -> Self {
        Self(subject: subject, verdict: .bad, found: found, advice: advice)
    }
}

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Look at this machine as a node: devices, drivers, permissions, disk, clock, coordinator; and say what to do.",
        discussion: "Run it as the agent's user. Ends with 69 where something will not work.")

    @Option(help: "The agent's settings; /etc/hearth/agent.yaml where there is one.") var config: String?
    @Flag(help: "Print JSON.") var json = false

    private static let standardConfig = "/etc/hearth/agent.yaml"

    func run() async throws {
        let isStandard = FileManager.default.fileExists(atPath: Self.standardConfig)
        let path = config ?? (isStandard ? Self.standardConfig : nil)
        var findings: [Finding] = []
        var settings = AgentConfig()
        do {
            settings = try ConfigFile.read(path, settings) { try AgentConfig.parse(yaml: $0, file: $1) }
            findings.append(.good("settings", path ?? "none: the standard ones"))
        } catch let error as ConfigError {
            findings.append(.bad("settings", "\(error)", "correct the file; docs/operations.md says what there is"))
        }
        findings += DoctorChecks.devices() + DoctorChecks.machine(settings) + DoctorChecks.policy(settings)
        findings += await DoctorChecks.coordinator(settings)
        if json { try Terminal.json(findings) } else { show(findings) }
        if findings.contains(where: { $0.verdict == .bad }) { throw ExitCode(ExitStatus.deviceUnavailable.rawValue) }
    }

    private func show(_ findings: [Finding]) {
        var table = TextTable("", "", "")
        for finding in findings {
            table.add(finding.verdict == .good ? "ok" : finding.verdict.rawValue, finding.subject, finding.found)
            if let advice = finding.advice { table.add("", "", "-> \(advice)") }
        }
        Terminal.out(table.text.trimmingCharacters(in: .newlines))
    }
}
