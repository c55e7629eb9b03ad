import AsyncHTTPClient
import Foundation
import HearthFleet
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// JSON over HTTP to a coordinator.
public struct CoordinatorClient: Sendable {
    public let url: String
    /// nil: a certificate says who asks, or nobody does.
    private let token: String?
    private let tls: ClientTLS?
    /// Of a node; nil: answers of any coordinator count.
    private let fence: EpochFence?

    /// - Parameter tls: needed for `https`.
    public init(
        url: String, token: String? = nil, tls: ClientTLS? = nil, fence: EpochFence? = nil
    ) throws(ConfigError) {
        guard let parsed = URL(string: url), parsed.host != nil,
            parsed.scheme == "http" || parsed.scheme == "https" && tls != nil
        else { throw ConfigError("coordinator: '\(url)' is not http://HOST:PORT or https://HOST:PORT") }
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        (self.token, self.tls, self.fence) = (token, tls, fence)
    }

    public static func isSecure(_ url: String) -> Bool { url.hasPrefix("https://") }

    /// Does not try again by itself: whoever calls knows better when to.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// A coordinator that cannot be reached, or says no.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// nil when there was no answer at all.
        public let status: Int?
        public let description: String
    }

    public func get<Answer: Decodable>(_ path: String, as type: Answer.Type) async throws -> Answer {
        try await send("GET", path, body: nil, headers: [:], as: type)
    }

    public func post<Answer: Decodable>(
        _ path: String, _ body: some Encodable, headers: [String: String] = [:], timeoutSeconds: Int64 = 30,
        as type: Answer.Type
    ) async throws -> Answer {
        try await send(
            "POST", path, body: try JSONEncoder().encode(body), headers: headers, timeoutSeconds: timeoutSeconds,
            as: type)
    }

    /// For what has no answer but that it was done.
    public func send(_ method: String, _ path: String, _ body: (some Encodable)? = String?.none) async throws {
        _ = try await exchange(method, path, body: try body.map { try JSONEncoder().encode($0) }, headers: [:])
    }

    /// Whether `attempt` is still the one whose output counts.
    func mayPublish(_ attempt: JobAttempt, from node: String) async throws -> Bool {
        do {
            try await send("POST", "/v1/nodes/\(node)/publications", Publication(attempt))
            return true
        } catch let failure as Failure where failure.status == 409 { return false }
    }

    /// A body that is no JSON.
    public func text(_ path: String) async throws -> String {
        String(buffer: try await exchange("GET", path, body: nil, headers: [:]).body)
    }

    /// What the coordinator's clock says, to the second: its answer's Date.
    public func clock() async throws -> Date {
        let text = try await exchange("GET", "/healthz", body: nil, headers: [:]).headers.first(name: "Date")
        let format = Date.VerbatimFormatStyle(
            format:
                "\(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .defaultDigits) \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits) GMT",
            locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt, calendar: Calendar(identifier: .gregorian))
        guard let text, let date = try? Date(text, strategy: format.parseStrategy) else {
            throw Failure(status: nil, description: "\(url) answers without a date")
        }
        return date
    }

    private func send<Answer: Decodable>(
        _ method: String, _ path: String, body: Data?, headers: [String: String], timeoutSeconds: Int64 = 30,
        as type: Answer.Type
    ) async throws -> Answer {
        let answer = try await exchange(
            method, path, body: body, headers: headers, timeoutSeconds: timeoutSeconds
        ).body
        return try JSONDecoder().decode(Answer.self, from: Data(buffer: answer))
    }

    private func exchange(
        _ method: String, _ path: String, body: Data?, headers: [String: String], timeoutSeconds: Int64 = 30
    ) async throws -> (headers: HTTPHeaders, body: ByteBuffer) {
        var request = HTTPClientRequest(url: url + path)
        request.method = .init(rawValue: method)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        request.tlsConfiguration = tls?.configuration
        if let fence { request.headers.add(name: CoordinatorEpoch.header, value: "\(try await fence.current())") }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(data: body))
        }
        let response: HTTPClientResponse
        let answer: ByteBuffer
        do {
            response = try await Self.http.execute(request, timeout: .seconds(timeoutSeconds))
            answer = try await response.body.collect(upTo: 64 << 20)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Failure(status: nil, description: "cannot reach the coordinator at \(url): \(error)")
        }
        if let fence, let epoch = response.headers.first(name: CoordinatorEpoch.header).flatMap({ Int64($0) }),
            try await !fence.accept(epoch)
        {
            throw Failure(
                status: nil, description: "the coordinator at \(url) is out of date: a later one was heard from")
        }
        guard (200..<300).contains(response.status.code) else {
            let message = (try? JSONDecoder().decode(APIError.self, from: Data(buffer: answer)))?.error
            throw Failure(
                status: Int(response.status.code), description: message ?? "the coordinator answered \(response.status)"
            )
        }
        return (response.headers, answer)
    }
}
