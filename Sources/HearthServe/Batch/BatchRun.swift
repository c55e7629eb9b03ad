import Foundation
import HearthFormats
import HearthGrammar
import HearthInference
import HearthJSON
import NIOCore

/// Answers a file of requests, one line for each, in their order. Begun again, it goes on after the last whole answer.
///
/// Requests are OpenAI's batch lines, `{"custom_id", "url", "body"}`, or bodies alone (`messages` or `prompt`). A request that cannot be
/// served has its error as its answer; a device that fails ends the run, which can go on later.
public struct BatchRun: Sendable {
    public struct Summary: Sendable {
        /// Answers in the file; of these, found there; of these, errors of this run.
        public var answers = 0
        public var resumed = 0
        public var refused = 0
        public var promptTokens = 0
        public var completionTokens = 0
    }

    /// A run that ended early and may go on later.
    public struct Interrupted: Error, CustomStringConvertible {
        public let description: String
    }

    private let model: ServedModel
    private let input, output: String
    private let seed: UInt64

    /// - Parameter seed: of the first request; those without a seed of their own take it and their number.
    public init(_ model: ServedModel, input: String, output: String, seed: UInt64) {
        (self.model, self.input, self.output, self.seed) = (model, input, output, seed)
    }

    /// - Parameter progress: after each answer.
    /// - Throws: `FormatError` for files that cannot be used or do not belong together; `Interrupted`.
    public func run(progress: (Summary) -> Void = { _ in }) async throws -> Summary {
        let requests = try BatchInput(path: input)
        let answers = try BatchOutput(path: output)
        var summary = Summary()
        var waiting: [Task<Answer, any Error>] = []
        defer { waiting.forEach { $0.cancel() } }
        func writeFirst() async throws {
            let answer = try await waiting.removeFirst().value
            try answers.append(answer.line)
            summary.answers += 1
            summary.refused += answer.isError ? 1 : 0
            summary.promptTokens += answer.usage.promptTokens
            summary.completionTokens += answer.usage.completionTokens
            progress(summary)
        }
        // Enough that no pass lacks sequences, few enough that the queue holds them.
        let window = min(2 * model.engine.options.maxSequences, max(1, model.engine.options.maxQueued))
        for (number, bytes) in requests {
            let line = Line(number, bytes)
            if summary.resumed < answers.ids.count {
                guard answers.ids[summary.resumed] == line.id else {
                    throw FormatError(
                        file: output,
                        "answer \(summary.resumed + 1) is to '\(answers.ids[summary.resumed])', but line \(number) of \(input) is '\(line.id)': the files do not belong together"
                    )
                }
                summary.resumed += 1
                summary.answers += 1
                continue
            }
            if waiting.count == window { try await writeFirst() }
            waiting.append(Task { try await answer(line) })
        }
        guard summary.resumed == answers.ids.count else {
            throw FormatError(file: output, "has more answers than \(input) has requests")
        }
        while !waiting.isEmpty { try await writeFirst() }
        try answers.cutUnfinished()
        return summary
    }

    private struct Answer: Sendable {
        let line: Data
        let isError: Bool
        let usage: CompletionResponse.Usage
    }

    /// One line of input: its request, or what is wrong with it.
    private struct Line: Sendable {
        let number: Int
        let id: String
        let request: Result<(form: CompletionForm, body: ByteBuffer), APIError>

        init(_ number: Int, _ bytes: UnsafeRawBufferPointer) {
            self.number = number
            func problem(_ text: String) -> Result<(form: CompletionForm, body: ByteBuffer), APIError> {
                .failure(APIError(.badRequest, "line \(number): \(text)"))
            }
            guard let object = (try? JSONSerialization.jsonObject(with: Data(bytes))) as? [String: Any] else {
                (id, request) = ("line-\(number)", problem("not a JSON object"))
                return
            }
            id = object["custom_id"] as? String ?? "line-\(number)"
            let url = object["url"] as? String
            let fields = object["body"] as? [String: Any] ?? object
            let form: CompletionForm? =
                switch url {
                case "/v1/chat/completions": .chat
                case "/v1/completions": .text
                case nil: fields["messages"] != nil ? .chat : fields["prompt"] != nil ? .text : nil
                default: nil
                }
            guard let form else {
                request = problem(url.map { "url '\($0.prefix(80))' is not served" } ?? "neither messages nor prompt")
                return
            }
            // As it was written where it stands alone: a schema's order counts.
            let body =
                object["body"] == nil
                ? ByteBuffer(bytes: bytes) : Self.member("body", of: bytes).map { ByteBuffer(string: $0) }
            request = body.map { .success((form, $0)) } ?? problem("body is malformed")
        }

        private static func member(_ name: String, of bytes: UnsafeRawBufferPointer) -> String? {
            (try? JSONValue(bytes))?[name]?.text
        }
    }

    private func answer(_ line: Line) async throws -> Answer {
        do {
            let (form, body) = try line.request.get()
            let (fields, requests) = try form.requests(body, model, client: "", seed: seed &+ UInt64(line.number - 1))
            if fields.isStreamed {
                throw APIError(.badRequest, "stream: answers of a batch come whole", param: "stream")
            }
            let answers = try await submit(requests)
            let response = try await CompletionWriter(form: form, model: model).whole(
                answers, answersEach: fields.n ?? 1)
            let usage = response.usage ?? .init()
            return Answer(line: try Self.line(line, 200, response), isError: false, usage: usage)
        } catch let error as APIError {
            guard error.status.code < 500 else {
                throw Interrupted(description: "line \(line.number): \(error.body.message)")
            }
            let line = try Self.line(line, error.status.code, ["error": error.body])
            return Answer(line: line, isError: true, usage: .init())
        }
    }

    /// Waits where the queue is full: that says nothing of the request.
    private func submit(_ requests: [EngineRequest]) async throws -> [AsyncStream<EngineEvent>] {
        while true {
            do { return try model.submit(requests) } catch let error as APIError where error.status == .tooManyRequests
            {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private struct Output<Body: Encodable>: Encodable {
        struct Response: Encodable {
            let statusCode: Int
            let body: Body
            enum CodingKeys: String, CodingKey {
                case body
                case statusCode = "status_code"
            }
        }
        let id, customID: String
        let response: Response
        enum CodingKeys: String, CodingKey {
            case id, response, error
            case customID = "custom_id"
        }

        func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: CodingKeys.self)
            try fields.encode(id, forKey: .id)
            try fields.encode(customID, forKey: .customID)
            try fields.encode(response, forKey: .response)
            // OpenAI's is about requests that were never made.
            try fields.encodeNil(forKey: .error)
        }
    }

    private static func line(_ line: Line, _ status: Int, _ body: some Encodable) throws -> Data {
        let response = Output.Response(statusCode: status, body: body)
        let output = Output(id: "batch_req_\(line.number)", customID: line.id, response: response)
        return try JSONBody.data(output) + Data("\n".utf8)
    }
}
