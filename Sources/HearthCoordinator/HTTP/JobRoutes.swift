import HTTPTypes
import HearthFleet
import Hummingbird

/// What users ask.
struct JobRoutes {
    let store: CoordinatorStore

    func add(to router: Router<CoordinatorContext>) {
        router.get("/v1/jobs") { _, _ in try JSONBody.response(try await store.jobs()) }
        router.post("/v1/jobs") { request, _ in
            let spec: JobSpec
            do { spec = try await JSONBody.read(request, JobSpec.parse(json:)) } catch let error as ConfigError {
                throw HTTPError(.unprocessableContent, message: error.description)
            }
            if let problem = spec.problem { throw HTTPError(.unprocessableContent, message: problem) }
            let key = HTTPField.Name("Idempotency-Key").flatMap { request.headers[$0] }
            if let key, key.utf8.count > 200 {
                throw HTTPError(.badRequest, message: "Idempotency-Key: at most 200 bytes")
            }
            return try JSONBody.response(try await store.submit(spec, key: key), status: .created)
        }
        router.get("/v1/jobs/:job") { _, context in
            try JSONBody.response(try await store.job(try context.parameters.require("job")))
        }
        router.get("/v1/jobs/:job/placement") { _, context in
            try JSONBody.response(try await store.placement(of: try context.parameters.require("job")))
        }
        router.post("/v1/jobs/:job/cancel") { _, context in
            try JSONBody.response(try await store.cancel(try context.parameters.require("job")))
        }
        router.get("/v1/jobs/:job/log") { request, context in
            let text = request.uri.queryParameters["offset"].map(String.init) ?? "0"
            guard let offset = Int(text), offset >= 0 else {
                throw HTTPError(.badRequest, message: "offset: '\(text.prefix(20))' is not a whole number from 0 up")
            }
            return try JSONBody.response(try await store.log(try context.parameters.require("job"), from: offset))
        }
    }
}
