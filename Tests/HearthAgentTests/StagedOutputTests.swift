import Foundation
import HearthAgent
import HearthFleet
import Support
import Testing

@Suite struct StagedOutputTests {
    private let folder: String

    init() throws { folder = try TestPaths.temporaryFolder() }

    private func output(_ name: String = "out.jsonl", attempt: Int = 1) throws -> StagedOutput {
        var spec = JobSpec(kind: .generate, name: "g")
        spec.output = "\(folder)/\(name)"
        return try #require(StagedOutput(Assignment(job: "job-1", attempt: attempt, spec: spec)))
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }
    private func read(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    @Test func itIsThereWholeOrNotAtAll() throws {
        let output = try output()
        let known = try output.prepare()
        try write("answers", output.staged)
        #expect(read(output.path) == nil)
        try output.publish(over: known)
        #expect(read(output.path) == "answers" && !output.exists)
        // The next one goes on where it ended, and leaves it as it was until then.
        let next = try self.output(attempt: 2)
        let found = try next.prepare()
        #expect(read(next.staged) == "answers")
        try write("answers, more", next.staged)
        #expect(read(next.path) == "answers")
        try next.publish(over: found)
        #expect(read(next.path) == "answers, more")
    }

    /// Of two jobs with one output, the second to end does not write over the first.
    @Test func whatSomebodyElseWroteStays() throws {
        let (first, second) = (try output(), try output(attempt: 2))
        let (one, two) = (try first.prepare(), try second.prepare())
        try write("first", first.staged)
        try write("second", second.staged)
        try first.publish(over: one)
        #expect(throws: (any Error).self) { try second.publish(over: two) }
        #expect(read(first.path) == "first" && read(second.staged) == "second")
    }

    @Test func aLinkLeadsToItsTarget() throws {
        try write("old", "\(folder)/target")
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/out.jsonl", withDestinationPath: "target")
        let output = try output()
        let known = try output.prepare()
        try write("new", output.staged)
        try output.publish(over: known)
        #expect(read("\(folder)/target") == "new")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: output.path) == "target")
    }

    @Test func whatIsNoFileIsRefused() throws {
        try FileManager.default.createDirectory(atPath: "\(folder)/folder", withIntermediateDirectories: true)
        mkfifo("\(folder)/pipe", 0o600)
        for name in ["folder", "pipe", "nowhere/out", ".out.job-7-1"] {
            #expect(throws: (any Error).self, "\(name)") { _ = try output(name).prepare() }
        }
    }

    @Test func whatWasRefusedLeavesNothing() throws {
        let output = try output()
        _ = try output.prepare()
        func outcome(_ code: Int32) -> JobOutcome { JobOutcome(exitCode: code, actualSeconds: 1) }
        #expect(output.isWorth(outcome(0)) && !output.isWorth(outcome(75)))
        try write("part", output.staged)
        #expect(output.isWorth(outcome(75)) && output.isWorth(outcome(124)) && !output.isWorth(outcome(77)))
        output.discard()
        #expect(!output.exists)
    }
}
