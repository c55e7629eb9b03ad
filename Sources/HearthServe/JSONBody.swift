import Foundation
import Hummingbird
import NIOCore
import NIOFoundationCompat

/// JSON in and out, with messages that name the field.
enum JSONBody {
    static func decode<T: Decodable>(_ type: T.Type, from buffer: ByteBuffer) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(buffer: buffer))
        } catch let error as DecodingError {
            let (message, path) = describe(error)
            throw APIError(.badRequest, message, param: path.isEmpty ? nil : path)
        }
    }

    static func data(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try data(value))))
    }

    private static func describe(_ error: DecodingError) -> (message: String, path: String) {
        func path(_ context: DecodingError.Context, _ last: String? = nil) -> String {
            (context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue } + (last.map { [$0] } ?? []))
                .joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context):
            let at = path(context, key.stringValue)
            return ("\(at): missing", at)
        case .typeMismatch(let type, let context): return ("\(path(context)): expected \(type)", path(context))
        case .valueNotFound(let type, let context):
            return ("\(path(context)): expected \(type), found null", path(context))
        case .dataCorrupted(let context):
            let at = path(context)
            return (at.isEmpty ? "the body is not JSON" : "\(at): \(context.debugDescription)", at)
        @unknown default: return ("the body cannot be read", "")
        }
    }
}
