import Foundation
import HearthAgent
import HearthFleet
import Support
import Testing

@Suite struct TrespassTests {
    @Test(arguments: [
        ("/var/lib/hearth/coordinator/token", true), ("/var/lib/hearth/coordinator", true), ("/var/lib", true),
        ("/var/lib/hearth/coordinator/../coordinator/x", true), ("/var/lib/hearth/coordinator2/x", false),
        ("/srv/m.gguf", false),
    ])
    func stateIsNoJobs(path: String, isRefused: Bool) {
        var spec = JobSpec(kind: .serve, name: "s")
        spec.apiKeys = path
        #expect((JobSupervisor.trespass(spec, ["/var/lib/hearth/coordinator/"]) != nil) == isRefused)
    }
}

enum TestSandbox {
    static let cache = (try? TestPaths.temporaryFolder()) ?? "/tmp"
    static let sandbox = try? Sandbox.prepare(.auto, cache: cache, admission: nil) { _ in }
}

/// What a job could reach, were it a shell.
@Suite(.enabled(if: TestSandbox.sandbox != nil, "bubblewrap does not work here"))
struct SandboxTests {
    private let folder: String
    private var spec = JobSpec(kind: .generate, name: "j")

    init() throws {
        folder = try TestPaths.temporaryFolder()
        for name in ["model.gguf", "in.jsonl", "other", "target"] {
            try Data(name.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        for name in ["job", "hf"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder)/hf/config.json", withDestinationPath: "../target")
        (spec.model, spec.input) = ("\(folder)/model.gguf", "\(folder)/in.jsonl")
        spec.output = "\(folder)/out.jsonl"
    }

    private func shell(_ script: String, _ spec: JobSpec) throws -> (status: Int32, out: String) {
        let command = try TestSandbox.sandbox!.command(
            ["/bin/sh", "-c", script], spec: spec, folder: "\(folder)/job")
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        (process.standardOutput, process.standardError) = (pipe, pipe)
        process.environment = ProcessInfo.processInfo.environment.merging(["SECRET": "s3cret"]) { $1 }
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    @Test func seesWhatIsItsOwn() throws {
        let run = try shell("cat \(folder)/model.gguf \(folder)/in.jsonl; echo x > \(folder)/job/result.json", spec)
        #expect(run.status == 0 && run.out == "model.ggufin.jsonl")
        #expect(try shell("echo answer >> \(folder)/out.jsonl", spec).status == 0)
        #expect(try String(contentsOfFile: "\(folder)/out.jsonl", encoding: .utf8) == "answer\n")
        var folders = spec
        folders.model = "\(folder)/hf"
        #expect(try shell("cat \(folder)/hf/config.json", folders).out == "target")
    }

    @Test(arguments: [
        "cat FOLDER/other", "ls /root/.", "cat /etc/shadow", "cat /etc/passwd", "echo x >> FOLDER/in.jsonl",
        "echo x > FOLDER/model.gguf",
        "echo x > /usr/bin/x", "ls /home/.", "kill -0 PID", "cat /proc/PID/environ", "echo $SECRET | grep s3cret",
        "grep -v -e lo: -e Inter -e face /proc/net/dev", "ls /var/lib/.", "mount -t tmpfs none /mnt",
    ])
    func seesNothingElse(script: String) throws {
        let text = script.replacing("FOLDER", with: folder).replacing("PID", with: "\(getpid())")
        let run = try shell(text, spec)
        #expect(run.status != 0, "\(script): \(run.out)")
    }

    @Test func onlyServersHaveANetwork() throws {
        var server = spec
        server.kind = .serve
        let script = "readlink /proc/self/ns/net"
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net")
        #expect(try shell(script, server).out == own + "\n")
        #expect(try shell(script, spec).out != own + "\n")
    }

    @Test func outputsThatWouldBeLostAreRefused() throws {
        var lost = spec
        for output in ["/proc/none/out", folder, "\(folder)/nowhere/out"] {
            lost.output = output
            #expect(throws: (any Error).self) { try shell("true", lost) }
        }
        #expect(mkfifo("\(folder)/pipe", 0o600) == 0)
        lost.output = "\(folder)/pipe"
        #expect(throws: (any Error).self) { try shell("true", lost) }
        // Where nothing is shown nothing can be written, either.
        #expect(try shell("echo x > /beside", spec).status != 0)
    }

    @Test func requiredMeansRequired() throws {
        #expect(try Sandbox.prepare(.off, cache: TestSandbox.cache, admission: nil) { _ in } == nil)
        #expect(try Sandbox.prepare(.required, cache: TestSandbox.cache, admission: nil) { _ in } != nil)
    }
}
