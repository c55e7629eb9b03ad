import Foundation
import HearthFleet
import Support
import Testing

/// Exit codes and messages of the commands, as docs/operations.md promises them.
@Suite struct CommandTests {
    private func expect(_ arguments: [String], status: Int32, _ text: String, environment: [String: String] = [:])
        throws
    {
        let result = try Program.run(arguments, environment: environment)
        #expect(result.status == status, "\(arguments): \(result.error)")
        #expect((result.error + result.out).contains(text), "\(arguments): \(result.error)")
    }

    @Test func usageErrorsEndWith64() throws {
        try expect(["devices", "--jsno"], status: 64, "Unknown option")
        try expect(["nothing"], status: 64, "Unexpected argument")
        try expect(["generate", "--model", "x", "--prompt", "p", "--temperature", "-1"], status: 64, "temperature")
        try expect(["generate", "--model", "x", "--prompt", "p", "--max-tokens", "0"], status: 64, "max-tokens")
        try expect(["bench", "tea"], status: 64, "no workload 'tea'")
    }

    @Test func theVersionIsWhatNodesReport() throws { try expect(["--version"], status: 0, HearthVersion.current) }

    @Test func missingDevicesEndWith69() throws {
        try expect(["generate", "--model", "x", "--prompt", "p", "--device", "vulkan:63"], status: 69, "vulkan:63")
        try expect(["probe", "--device", "tpu"], status: 69, "'tpu' is no device")
    }

    @Test func aMachineWithoutVulkanStillHasItsCPU() throws {
        let hidden = ["VK_DRIVER_FILES": "/nonexistent.json", "VK_ICD_FILENAMES": "/nonexistent.json"]
        let result = try Program.run(["devices", "--json"], environment: hidden)
        #expect(result.status == 0 && result.out.contains("\"cpu\"") && !result.out.contains("vulkan:0"))
        try expect(["probe", "--device", "vulkan:0"], status: 69, "vulkan", environment: hidden)
    }

    @Test func badModelsEndWith65() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("not a model".utf8).write(to: URL(fileURLWithPath: folder + "/x.gguf"))
        try expect(
            ["generate", "--model", folder + "/none.gguf", "--prompt", "p", "--device", "cpu"], status: 65,
            "No such file")
        try expect(
            ["generate", "--model", folder + "/x.gguf", "--prompt", "p", "--device", "cpu"], status: 65, "byte 0")
        var writer = GGUFWriter()
        writer.addTokenizer()
        writer.add("general.architecture", "rwkv")
        let other = try writer.write(to: folder, name: "other.gguf")
        try expect(
            ["generate", "--model", other, "--prompt", "p", "--device", "cpu"], status: 65, "'rwkv' is not supported")
    }

    @Test(.enabled(if: TestPaths.model != nil, "the default model could not be fetched"))
    func contextOverflowEndsWith65() throws {
        let model = try #require(TestPaths.model)
        try expect(
            ["generate", "--model", model, "--prompt", "p", "--max-tokens", "9000", "--device", "cpu"], status: 65,
            "context of 8192")
    }

    @Test(.enabled(if: TestPaths.model != nil, "the default model could not be fetched"))
    func serverThatOthersReachNeedsKeysAndTLS() throws {
        let model = try #require(TestPaths.model)
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func serve(_ more: [String], _ status: Int32, _ text: String) throws {
            try expect(["serve", "--model", model, "--device", "cpu", "--context", "256"] + more, status: status, text)
        }
        try serve(["--listen", "0.0.0.0:0"], 78, "API key file and a TLS certificate")
        try serve(["--listen", "nowhere"], 78, "HOST:PORT")
        try serve(["--tls-key", folder + "/none"], 78, "both a certificate and a private key")
        try serve(["--api-keys", folder + "/none"], 78, "none")
        try Data("# a comment\nalice abc\n".utf8).write(to: URL(fileURLWithPath: folder + "/keys"))
        try serve(["--api-keys", folder + "/keys"], 78, "line 2")
        try serve(["--cache", "q3"], 64, "q3")
        try serve(["--cache-memory", "1"], 65, "cannot hold one context of 256 tokens")
    }

    @Test(.enabled(if: TestPaths.model != nil, "the default model could not be fetched"))
    func chatTalksLineByLine() throws {
        let model = try #require(TestPaths.model)
        let arguments = ["chat", "--model", model, "--device", "cpu", "--temperature", "0", "--max-tokens", "16"]
        func talk(_ lines: String...) throws -> Program.Result {
            let result = try Program.tool(
                TestPaths.hearth, arguments, input: lines.map { $0 + "\n" }.joined())
            #expect(result.status == 0, "\(result)")
            return result
        }
        let once = try talk("Say hello.").out
        #expect(!once.isEmpty && once.hasSuffix("\n"))
        // What is forgotten does not change what comes; what is not may.
        #expect(try talk("Say hello.", "/clear", "", "Say hello.").out == once + once)
        let other = try talk("/system Answer in French.", "/fly", "Say hello.")
        #expect(other.error.contains("no command /fly") && other.out != once)
        #expect(try talk("Say hello.", "/exit", "Say hello.").out == once)
        try expect(arguments + ["--context", "0"], status: 64, "--context 0")
    }

    @Test(.enabled(if: TestPaths.model != nil, "the default model could not be fetched"))
    func languageBenchSaysTokensAndShares() throws {
        let model = try #require(TestPaths.model)
        let bench = ["bench", "llm", "-m", model, "--device", "cpu"]
        let run = try Program.run(bench + ["-p", "64,65", "-n", "4", "-d", "0,70", "-r", "2", "-o", "json"])
        let results = try #require(
            try JSONSerialization.jsonObject(with: Data(run.out.utf8)) as? [[String: Any]], "\(run)")
        #expect(
            results.map { $0["test"] as? String } == ["pp64", "pp65", "tg4", "pp64 @ 70", "pp65 @ 70", "tg4 @ 70"])
        for result in results {
            let rate = try #require(result["tokensPerSecond"] as? [String: Any])
            #expect((rate["median"] as? Double ?? 0) > 0 && rate["sampleCount"] as? Int == 2)
            #expect((result["predictedSeconds"] as? Double ?? 0) > 0 && result["parameters"] as? Int == 134_515_008)
        }
        for (format, beginning) in [("md", "| model |"), ("csv", "model,"), ("jsonl", "{\"achieved\"")] {
            let short = try Program.run(bench + ["-p", "8", "-n", "0", "-r", "1", "-o", format])
            #expect(short.status == 0 && short.out.hasPrefix(beginning), "\(short)")
        }
        try expect(bench + ["-p", "0", "-n", "0"], status: 64, "nothing to time")
        try expect(bench + ["-p", "9000"], status: 65, "exceed the context of 8192")
    }

    @Test func badConfigsAndStatesEndWith78() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let config = folder + "/c.yaml"
        try Data("lisen: 127.0.0.1:1\n".utf8).write(to: URL(fileURLWithPath: config))
        try expect(["coordinator", "--config", config], status: 78, "c.yaml:1: lisen: unknown field")
        try expect(["coordinator", "--state", folder, "--listen", "0.0.0.0:0"], status: 78, "not a loopback")
        try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/file"))
        try expect(["coordinator", "--state", folder + "/file", "--listen", "127.0.0.1:0"], status: 78, "state folder")
        try expect(
            ["agent", "--state", folder, "--token-file", folder + "/none"], status: 78, "the coordinator makes it")
        try FileManager.default.createDirectory(atPath: folder + "/bad", withIntermediateDirectories: true)
        try Data(repeating: 1, count: 5000).write(to: URL(fileURLWithPath: folder + "/bad/coordinator.sqlite"))
        try expect(["coordinator", "--state", folder + "/bad", "--listen", "127.0.0.1:0"], status: 78, "damaged")
    }

    @Test func badSpecsEndWith78AndNameTheLine() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let spec = folder + "/s.yaml"
        try Data("kind: probe\ndevise: cpu\n".utf8).write(to: URL(fileURLWithPath: spec))
        try expect(["run", spec], status: 78, "s.yaml:2: devise: unknown field")
        try expect(["run", folder + "/none.yaml"], status: 65, "no such file")
    }

    @Test func noCoordinatorEndsWith75() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data(String(repeating: "a", count: 64).utf8).write(to: URL(fileURLWithPath: folder + "/token"))
        chmod(folder + "/token", 0o600)
        try expect(
            ["nodes", "--coordinator", "http://127.0.0.1:9", "--token-file", folder + "/token"], status: 75,
            "cannot reach")
    }

    @Test func aReaderThatLeavesEndsItQuietly() throws {
        let command = "'\(TestPaths.hearth)' devices --json | true; echo ${PIPESTATUS[0]}"
        let result = try Program.tool("/bin/bash", ["-c", command])
        #expect(["0\n", "141\n"].contains(result.out) && result.error.isEmpty, "\(result.out)\(result.error)")
    }

    @Test func timeoutEndsWith124AndLeavesAnOutcome() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("kind: bench\ndevice: cpu\ntimeoutSeconds: 1\n".utf8).write(
            to: URL(fileURLWithPath: folder + "/s.yaml"))
        try expect(["run", folder + "/s.yaml", "--result", folder + "/r.json"], status: 124, "did not end within")
        #expect(try String(contentsOfFile: folder + "/r.json", encoding: .utf8).contains("\"exitCode\":124"))
    }
}
