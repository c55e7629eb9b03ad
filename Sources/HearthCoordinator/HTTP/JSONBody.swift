import Foundation
import HearthFleet
import Hummingbird
import NIOCore

/// JSON in and out, with messages that name the field.
enum JSONBody {
    static let maximumByteCount = 8 << 20

    static func decode<T: Decodable>(_ type: T.Type, from request: Request) async throws -> T {
        try await read(request) { try JSONDecoder().decode(type, from: $0) }
    }

    /// What `parse` makes of the body, with messages that name the field.
    static func read<T>(_ request: Request, _ parse: (Data) throws -> T) async throws -> T {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: maximumByteCount)
        } catch is NIOTooManyBytesError {
            throw HTTPError(.contentTooLarge, message: "the body is larger than \(maximumByteCount) bytes")
        }
        do {
            return try parse(Data(buffer.readableBytesView))
        } catch let error as DecodingError {
            let (keys, reason) = error.place
            let path = keys?.map(\.stringValue).joined(separator: ".")
            throw HTTPError(.badRequest, message: path.map { "\($0): \(reason)" } ?? reason)
        }
    }

    static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
    }
}
