import Foundation
import Support
import Testing

/// Serving as a job: it runs until it is told to stop, and then says what it did.
@Suite(.enabled(if: TestPaths.model != nil, "the default model could not be fetched"))
struct ServeJobTests {
    @Test func servesUntilItIsStopped() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let model = try #require(TestPaths.model)
        try Data(
            "kind: serve\nmodel: \(model)\nmodelName: smol\nlisten: 127.0.0.1:0\ndevice: cpu\ncontext: 256\n".utf8
        ).write(to: URL(fileURLWithPath: folder + "/job.yaml"))
        let log = folder + "/log"
        #expect(FileManager.default.createFile(atPath: log, contents: nil))
        func text() -> String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }
        let job = Process()
        job.executableURL = URL(fileURLWithPath: TestPaths.hearth)
        job.arguments = ["run", folder + "/job.yaml", "--result", folder + "/result.json"]
        job.standardError = FileHandle(forWritingAtPath: log)
        job.standardOutput = job.standardError
        try job.run()
        defer { if job.isRunning { kill(job.processIdentifier, SIGKILL) } }
        var url: String?
        for _ in 0..<400 where url == nil && job.isRunning {
            usleep(50_000)
            url = text().firstMatch(of: #/"url":"(http://[0-9.:]+)"/#).map {
                String($0.1)
            }
        }
        let address = try #require(url, "\(text())")
        let body = #"{"model":"smol","prompt":"The capital of France is","max_tokens":4,"temperature":0}"#
        let answer = try Program.tool("/usr/bin/curl", ["-s", "-d", body, address + "/v1/completions"])
        #expect(answer.out.contains(" Paris") && answer.out.contains("fp_"), "\(answer)")
        kill(job.processIdentifier, SIGTERM)
        for _ in 0..<400 where job.isRunning { usleep(50_000) }
        #expect(!job.isRunning && job.terminationStatus == 0, "\(text())")
        let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/result.json"))
        let result = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let figures = try #require(result["figures"] as? [String: Double])
        #expect(result["exitCode"] as? Int == 0 && figures["answers"] == 1 && figures["completion_tokens"] == 4)
    }
}
