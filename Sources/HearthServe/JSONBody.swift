import Foundation
import HearthFleet
import Hummingbird
import NIOCore
import NIOFoundationCompat

/// JSON in and out, with messages that name the field.
enum JSONBody {
    static func decode<T: Decodable>(_ type: T.Type, from buffer: ByteBuffer) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(buffer: buffer))
        } catch let error as DecodingError {
            let (keys, reason) = error.place
            let path = keys?.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
            throw APIError(
                .badRequest, path.map { "\($0): \(reason)" } ?? reason, param: path?.isEmpty == false ? path : nil)
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
}
