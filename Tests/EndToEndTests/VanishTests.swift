import Foundation
import HearthFleet
import Support
import Testing

/// Seconds.
private let silence = ProcessInfo.processInfo.environment["HEARTH_SILENCE"].flatMap { Double($0) }

/// A part of a fleet that is not heard from for a while.
@Suite(.enabled(if: silence != nil, "takes minutes: make soak, which sets HEARTH_SILENCE"))
struct VanishTests {
    /// Three of ten nodes stand still for two of their leases: no job ends that keeps, theirs go on where they were.
    @Test func threeOfTenNodesVanish() throws {
        let silence = try #require(silence)
        let model = try #require(TestPaths.model)
        let fleet = try Fleet()
        try fleet.startCoordinator(settings: "leaseSeconds: \(silence / 2)\n")
        for number in 1...10 {
            try fleet.startAgent(number)
            try fleet.wait(60) { try fleet.healthyCount() == number }
        }
        let spec = try fleet.write(
            "serve.yaml",
            "kind: serve\nmodel: \(model)\nmodelName: m\nlisten: 127.0.0.1:0\ndevice: cpu\ncontext: 128\nonPartition: keep\n"
        )
        let ids = try (0..<10).map { _ in
            try fleet.hearth("submit", spec).out.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        func jobs() throws -> [JobRecord] { try ids.map { try fleet.job($0) } }
        try fleet.wait(120) { try jobs().allSatisfy { $0.state == .running } }
        let before = try jobs()
        #expect(Set(before.map(\.node)).count == 10)

        let vanished = [2, 5, 9]
        for number in vanished { kill(fleet.pid("agent\(number)"), SIGSTOP) }
        defer { for number in vanished { kill(fleet.pid("agent\(number)"), SIGCONT) } }
        let end = Date().addingTimeInterval(silence)
        while Date() < end {
            #expect(try jobs().allSatisfy { $0.state == .running && $0.attempt == 1 })
            Thread.sleep(forTimeInterval: 5)
        }
        #expect(try fleet.nodes().filter { !$0.isConnected }.map(\.node) == vanished.map { "n\($0)" })

        for number in vanished { kill(fleet.pid("agent\(number)"), SIGCONT) }
        try fleet.wait(60) { try fleet.nodes().allSatisfy(\.isConnected) }
        #expect(try jobs().map(\.node) == before.map(\.node))
        // They hear what is said to them, and each job ends once, of its own accord.
        for id in ids { #expect(try fleet.hearth("cancel", id).status == 0) }
        try fleet.wait(60) { try jobs().allSatisfy { $0.state.isFinal } }
        #expect(try jobs().allSatisfy { $0.attempt == 1 && $0.outcome?.exitCode == 0 })
        print("vanish: 3 of 10 nodes silent for \(Int(silence)) s, leases of \(Int(silence / 2)) s: no job ended")
    }
}
