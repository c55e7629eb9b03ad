/// The service's own description, served at /openapi.yaml; a test holds it against the running server.
package enum OpenAPI {
    package static let document = paths + components

    private static let paths = """
        openapi: 3.1.0
        info: {title: Hearth coordinator, version: 0.1.0, license: {name: Apache-2.0, identifier: Apache-2.0}}
        security: [{bearer: []}]
        paths:
          /:
            get:
              summary: The fleet
              parameters: [{name: token, in: query, schema: {type: string}}]
              responses: {'200': {$ref: '#/components/responses/Page'}}
          /login:
            get:
              summary: The page on which a browser's user says who they are
              security: []
              responses: {'200': {$ref: '#/components/responses/Page'}}
            post:
              summary: Makes a token the browser's, as a cookie
              security: []
              requestBody: {required: true, content: {application/x-www-form-urlencoded: {schema: {type: object, required: [token], properties: {token: {type: string}}}}}}
              responses: {'303': {description: logged in}, '401': {$ref: '#/components/responses/Page'}}
          /logout:
            get:
              summary: Takes the cookie back
              security: []
              responses: {'303': {description: logged out}}
          /nodes/{node}:
            parameters: [{name: node, in: path, required: true, schema: {type: string}}]
            get:
              summary: One node
              parameters: [{name: hours, in: query, schema: {type: number, minimum: 0.1, maximum: 87600, default: 24}}]
              responses:
                '200': {$ref: '#/components/responses/Page'}
                '400': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
          /jobs/{job}:
            parameters: [{name: job, in: path, required: true, schema: {type: string}}]
            get:
              summary: One job
              responses:
                '200': {$ref: '#/components/responses/Page'}
                '404': {$ref: '#/components/responses/Error'}
          /data:
            get:
              summary: Datasets
              responses:
                '200': {$ref: '#/components/responses/Page'}
          /data/{name}:
            parameters: [{name: name, in: path, required: true, schema: {type: string}}]
            get:
              summary: Where a dataset is, and what was made from it
              responses:
                '200': {$ref: '#/components/responses/Page'}
                '404': {$ref: '#/components/responses/Error'}
          /ledger:
            get:
              summary: The log, and a button that checks it in the browser
              responses:
                '200': {$ref: '#/components/responses/Page'}
          /dashboard.js:
            get:
              summary: What pages do in the browser
              responses: {'200': {description: script, content: {text/javascript: {schema: {type: string}}}}}
          /v1/events:
            get:
              summary: Server-sent events, change and log
              parameters: [{name: job, in: query, description: whose log, schema: {type: string}}]
              responses:
                '200': {description: events, content: {text/event-stream: {schema: {type: string}}}}
                '404': {$ref: '#/components/responses/Error'}
          /healthz:
            get:
              summary: Liveness, database included
              security: []
              responses: {'200': {description: ok, content: {text/plain: {schema: {type: string}}}}}
          /metrics:
            get:
              summary: Prometheus text
              security: []
              responses: {'200': {description: metrics, content: {text/plain: {schema: {type: string}}}}}
          /job-spec.schema.json:
            get:
              summary: Job specs as they are written in YAML, as JSON Schema
              responses: {'200': {description: JSON Schema 2020-12, content: {application/schema+json: {schema: {type: object}}}}}
          /openapi.yaml:
            get:
              summary: This document
              responses: {'200': {description: OpenAPI 3.1, content: {application/yaml: {schema: {type: string}}}}}
          /v1/authority:
            get:
              summary: The certificate of the authority that says which key is which node's
              security: []
              responses:
                '200': {description: PEM, content: {application/x-pem-file: {schema: {type: string}}}}
                '404': {$ref: '#/components/responses/Error'}
          /v1/invitations:
            post:
              summary: A token with which one machine joins as a node, once; for operators
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/InvitationRequest'}}}}
              responses:
                '201': {description: the token, content: {application/json: {schema: {$ref: '#/components/schemas/Invitation'}}}}
                '400': {$ref: '#/components/responses/Error'}
                '403': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
          /v1/join:
            post:
              summary: A machine with a token gets a certificate
              security: []
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/JoinRequest'}}}}
              responses:
                '200': {description: the certificate, content: {application/json: {schema: {$ref: '#/components/schemas/Certificate'}}}}
                '400': {$ref: '#/components/responses/Error'}
                '403': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
          /v1/renew:
            post:
              summary: A node with a certificate gets its next one
              security: [{certificate: []}]
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/RenewalRequest'}}}}
              responses:
                '200': {description: the certificate, content: {application/json: {schema: {$ref: '#/components/schemas/Certificate'}}}}
                '400': {$ref: '#/components/responses/Error'}
                '403': {$ref: '#/components/responses/Error'}
          /v1/nodes:
            get:
              summary: Nodes with health and measured ceilings
              responses: {'200': {description: nodes, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Node'}}}}}}
            post:
              summary: A node joins or comes back
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Registration'}}}}
              responses:
                '200': {description: what is committed of its reports, content: {application/json: {schema: {$ref: '#/components/schemas/Ack'}}}}
                '400': {$ref: '#/components/responses/Error'}
          /v1/drains/{node}:
            parameters: [{name: node, in: path, required: true, schema: {type: string}}]
            post:
              summary: Has a node take no new jobs, for operators; what runs runs on
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/OperatorReason'}}}}
              responses:
                '204': {description: drained}
                '400': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
            delete:
              summary: Has it take jobs again
              responses:
                '204': {description: resumed}
                '404': {$ref: '#/components/responses/Error'}
          /v1/bars/{node}:
            parameters: [{name: node, in: path, required: true, schema: {type: string}}]
            post:
              summary: Has nothing count that comes as a node, until it joins anew, for operators; its jobs are given to others
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/OperatorReason'}}}}
              responses:
                '200': {description: the jobs, content: {application/json: {schema: {type: array, items: {type: string}}}}}
                '400': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
            delete:
              summary: Has it count again, with the key it had
              responses:
                '204': {description: not barred}
                '404': {$ref: '#/components/responses/Error'}
          /v1/nodes/{node}/reports:
            parameters: [{name: node, in: path, required: true, schema: {type: string}}]
            post:
              summary: Reports in order; each is stored once however often it is sent
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/ReportBatch'}}}}
              responses:
                '200': {description: committed up to here, content: {application/json: {schema: {$ref: '#/components/schemas/Ack'}}}}
                '400': {$ref: '#/components/responses/Error'}
                '421': {$ref: '#/components/responses/Error'}
                '503': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
          /v1/nodes/{node}/poll:
            parameters: [{name: node, in: path, required: true, schema: {type: string}}]
            post:
              summary: Sign of life; answers with work, held back up to waitSeconds when there is none
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Poll'}}}}
              responses:
                '200': {description: work, content: {application/json: {schema: {$ref: '#/components/schemas/Work'}}}}
                '400': {$ref: '#/components/responses/Error'}
                '421': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
          /v1/nodes/{node}/publications:
            parameters: [{name: node, in: path, required: true, schema: {type: string}}]
            post:
              summary: Before an output is put in its place; granted to one attempt of a job and to no other
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Publication'}}}}
              responses:
                '204': {description: granted}
                '400': {$ref: '#/components/responses/Error'}
                '421': {$ref: '#/components/responses/Error'}
                '409': {$ref: '#/components/responses/Error'}
          /v1/nodes/{node}/loads:
            parameters: [{name: node, in: path, required: true, schema: {type: string}}]
            get:
              summary: How busy a node was, oldest first, in about 300 pieces at most
              parameters: [{name: hours, in: query, schema: {type: number, minimum: 0.1, maximum: 87600, default: 24}}]
              responses:
                '200': {description: samples, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/LoadSample'}}}}}
                '400': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
            post:
              summary: How busy the node was; what is known already, and what cannot be, changes nothing
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/LoadBatch'}}}}
              responses:
                '204': {description: stored}
                '400': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
                '421': {$ref: '#/components/responses/Error'}
          /v1/losses/{node}:
            parameters: [{name: node, in: path, required: true, schema: {type: string}}]
            post:
              summary: Says that a node is lost, for operators; its jobs are given to others
              responses:
                '200': {description: the jobs, content: {application/json: {schema: {type: array, items: {type: string}}}}}
                '404': {$ref: '#/components/responses/Error'}
          /v1/jobs:
            get:
              summary: Jobs, newest first
              responses: {'200': {description: jobs, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Job'}}}}}}
            post:
              summary: Submit; the same Idempotency-Key gives the same job
              parameters: [{name: Idempotency-Key, in: header, schema: {type: string, maxLength: 200}}]
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/JobSpec'}}}}
              responses:
                '201': {description: queued, content: {application/json: {schema: {$ref: '#/components/schemas/Job'}}}}
                '400': {$ref: '#/components/responses/Error'}
                '409': {$ref: '#/components/responses/Error'}
                '422': {$ref: '#/components/responses/Error'}
          /v1/jobs/{job}:
            parameters: [{name: job, in: path, required: true, schema: {type: string}}]
            get:
              summary: One job
              responses:
                '200': {description: job, content: {application/json: {schema: {$ref: '#/components/schemas/Job'}}}}
                '404': {$ref: '#/components/responses/Error'}
          /v1/jobs/{job}/placement:
            parameters: [{name: job, in: path, required: true, schema: {type: string}}]
            get:
              summary: Where a job went, or would go now, and every node that was considered
              responses:
                '200': {description: decision, content: {application/json: {schema: {$ref: '#/components/schemas/Placement'}}}}
                '404': {$ref: '#/components/responses/Error'}
          /v1/jobs/{job}/cancel:
            parameters: [{name: job, in: path, required: true, schema: {type: string}}]
            post:
              summary: End a job
              responses:
                '200': {description: job, content: {application/json: {schema: {$ref: '#/components/schemas/Job'}}}}
                '404': {$ref: '#/components/responses/Error'}
          /v1/jobs/{job}/log:
            parameters: [{name: job, in: path, required: true, schema: {type: string}}]
            get:
              summary: The log from a byte offset on
              parameters: [{name: offset, in: query, schema: {type: integer, minimum: 0}}]
              responses:
                '200': {description: a piece, content: {application/json: {schema: {$ref: '#/components/schemas/LogChunk'}}}}
                '400': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
          /v1/data/{name}/places:
            parameters: [{name: name, in: path, required: true, schema: {type: string}}]
            get:
              summary: Where a dataset is, and what was made from it, as jobs have said
              responses:
                '200': {description: places, content: {application/json: {schema: {$ref: '#/components/schemas/DataPlaces'}}}}
                '404': {$ref: '#/components/responses/Error'}
          /v1/ledger/checkpoint:
            get:
              summary: The ledger's size and root, signed (C2SP tlog-checkpoint)
              responses: {'200': {description: a signed note, content: {text/plain: {schema: {type: string}}}}}
          /v1/ledger/leaves:
            get:
              summary: Up to 1000 leaves from a number on, one line of canonical JSON each
              parameters: [{name: from, in: query, schema: {type: integer, minimum: 0}}]
              responses:
                '200': {description: leaves, content: {application/jsonl: {schema: {type: string}}}}
                '400': {$ref: '#/components/responses/Error'}
          /v1/ledger/proof:
            get:
              summary: That a leaf is under the checkpoint (C2SP tlog-proof)
              parameters: [{name: index, in: query, required: true, schema: {type: integer, minimum: 0}}]
              responses:
                '200': {description: a proof, content: {text/plain: {schema: {type: string}}}}
                '400': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}
          /v1/ledger/consistency:
            get:
              summary: That the ledger begins with what it was at an older size (RFC 9162)
              parameters: [{name: old, in: query, required: true, schema: {type: integer, minimum: 0}}]
              responses:
                '200': {description: a proof, content: {application/json: {schema: {$ref: '#/components/schemas/Consistency'}}}}
                '400': {$ref: '#/components/responses/Error'}
                '404': {$ref: '#/components/responses/Error'}

        """
}
