import Foundation
import Support
import Testing

/// A file of requests answered by `hearth run`, the way a scheduler does it.
@Suite(.enabled(if: TestPaths.model != nil, "the default model could not be fetched"))
struct BatchTests {
    private static let input = [
        #"{"custom_id":"chat","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":"Say hello."}],"max_tokens":12}}"#,
        #"{"custom_id":"text","method":"POST","url":"/v1/completions","body":{"prompt":"The capital of France is","max_tokens":6,"temperature":0}}"#,
        "", "not json", #"{"prompt":"Once upon a time","max_tokens":20}"#,
        #"{"custom_id":"none","body":{}}"#, #"{"custom_id":"images","url":"/v1/images","body":{"prompt":"a"}}"#,
        #"{"custom_id":"long","body":{"prompt":"a","max_tokens":99999}}"#,
        #"{"custom_id":"schema","body":{"prompt":"An animal: ","max_tokens":60,"json_schema":{"type":"object","properties":{"z":{"enum":["cat","dog"]},"a":{"type":"integer","maximum":9,"minimum":0}},"required":["z","a"]}}}"#,
        #"{"custom_id":"two","body":{"prompt":["One, two,","Red, green,"],"n":2,"max_tokens":8}}"#,
    ]
    /// Of each line its id, status, texts and tokens: what does not change from run to run.
    private func answers(_ path: String) throws -> [[String]] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let response = try #require(object["response"] as? [String: Any])
            let body = try #require(response["body"] as? [String: Any])
            let choices = (body["choices"] as? [[String: Any]] ?? []).map { choice in
                (choice["text"] ?? (choice["message"] as? [String: Any])?["content"]) as? String ?? "?"
            }
            return ["\(object["custom_id"]!)", "\(response["status_code"]!)"] + choices
        }
    }

    private func spec(_ folder: String, output: String) throws -> String {
        let path = folder + "/job.yaml"
        let model = try #require(TestPaths.model)
        try Data(
            "kind: generate\nmodel: \(model)\ninput: in.jsonl\noutput: \(output)\ndevice: cpu\nseed: 5\ncontext: 512\n"
                .utf8
        ).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// A line that was being written when the power went.
    private static func tear(_ path: String) throws {
        guard let file = FileHandle(forUpdatingAtPath: path) else { return }
        try file.seekToEnd()
        try file.write(contentsOf: Data(#"{"custom_id":"ha"#.utf8))
    }

    @Test func everyRequestIsAnsweredOnceThroughKills() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let lines = Self.input + (0..<24).map { #"{"prompt":"Number \#($0):","max_tokens":\#(10 + $0)}"# }
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: folder + "/in.jsonl"))
        let whole = try Program.run(["run", try spec(folder, output: "whole.jsonl")])
        #expect(whole.status == 0 && whole.out.contains("33 answers (0 found from before, 4 refused)"), "\(whole)")
        let expected = try answers(folder + "/whole.jsonl")
        #expect(
            expected.prefix(9).map { Array($0.prefix(2)) } == [
                ["chat", "200"], ["text", "200"], ["line-4", "400"], ["line-5", "200"], ["none", "400"],
                ["images", "400"], ["long", "400"], ["schema", "200"], ["two", "200"],
            ])
        #expect(expected[1][2].hasPrefix(" Paris") && expected[8].count == 6)
        #expect(
            expected[7][2].contains("\"z\":")
                && expected[7][2].range(of: "\"z\"")!.lowerBound < expected[7][2].range(of: "\"a\"")!.lowerBound)
        // Killed ever later, in the middle of answers and of lines, until a run comes to its end.
        let job = try spec(folder, output: "killed.jsonl")
        var runs = 0
        while true {
            runs += 1
            let run = try Program.run(["run", job], deadline: 0.5 + 0.15 * Double(runs))
            if run.status == 0 { break }
            #expect(run.status == -1, "\(run)")
            try Self.tear(folder + "/killed.jsonl")
        }
        #expect(runs > 1)
        #expect(try answers(folder + "/killed.jsonl") == expected)
        // Once more changes nothing, not even after a run that was killed between its last answer and its end.
        try Self.tear(folder + "/killed.jsonl")
        let again = try Program.run(["run", job])
        #expect(again.status == 0 && again.out.contains("33 answers (33 found from before, 0 refused)"))
        #expect(try answers(folder + "/killed.jsonl") == expected)
    }

    @Test func filesThatDoNotBelongTogetherAreRefused() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func run(_ input: String?, _ output: String?, _ status: Int32, _ text: String) throws {
            for (name, content) in [("in.jsonl", input), ("out.jsonl", output)] {
                let path = folder + "/" + name
                try? FileManager.default.removeItem(atPath: path)
                if let content { try Data(content.utf8).write(to: URL(fileURLWithPath: path)) }
            }
            let result = try Program.run(["run", try spec(folder, output: "out.jsonl")])
            #expect(result.status == status && result.error.contains(text), "\(result)")
            // What was there is there.
            if let output { #expect(try String(contentsOfFile: folder + "/out.jsonl", encoding: .utf8) == output) }
        }
        let request = #"{"custom_id":"a","body":{"prompt":"a","max_tokens":1}}"#
        try run(nil, nil, 65, "in.jsonl: No such file")
        try run(request, "{\"custom_id\":\"b\"}\n", 65, "do not belong together")
        try run(request, "{\"custom_id\":\"a\"}\n{\"custom_id\":\"b\"}\n", 65, "more answers than")
        try run(request, "notes of mine\n", 65, "line 1 is no answer of a batch")
        // Nothing to lose, and nothing cut off, where the file is somebody's without a last newline.
        try run(request, "{\"custom_id\":\"a\"}\nmine", 65, "its last line is no answer of a batch")
        try run(request, "{\"mine\": 1}", 65, "its last line is no answer of a batch")
        try run(request, "{\"custom_id\":\"b\"}\n{\"custom_id\":\"a", 65, "do not belong together")
    }
}
