"""OpenRLHF's rollouts, scored by our server: the file to name in `--train.agent_func_path`.

The stock executor swallows a reward that could not be had, and the trainer crashes later, or trains on None. This one
waits for the server as long as it was told to, and then raises an error that says what is wrong. It sends the
completion, the label and the policy's own top-k logprobs of the rationale, not the page context twice over.
"""

import asyncio
import logging
import time
from typing import Any

from openrlhf.utils.agent import SingleTurnAgentExecutor

from reward_server.certainty.span import RationaleFinder
from reward_server.client import ClientOptions, RewardClient, TlsFiles
from reward_server.wire import CertaintyEvidence, Rollout, ScoreResponse
from trainer.openrlhf.agent.agreed_certainty import check_certainty
from trainer.openrlhf.agent.equal_rewards import as_float32_can_average
from trainer.openrlhf.agent.evidence import evidence
from trainer.openrlhf.agent.groups import Groups, Place
from trainer.openrlhf.agent.reward_logs import reward_logs
from trainer.openrlhf.agent.rollout_log import RolloutLog
from trainer.openrlhf.agent.settings import AgentSettings

_TELL_SECONDS = 30.0
"""How often a wait for the server is told."""

logger = logging.getLogger(__name__)


class _Listening:
    """The engine for one rollout: asks it for logprobs if need be, and keeps what it answered."""

    def __init__(self, engine: Any, top_k: int | None) -> None:
        self._engine = engine
        self._top_k = top_k
        self.answer: Any = None

    async def generate(self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: Any = None) -> Any:
        """The engine's answer; `sampling_params` are the caller's own copy."""
        sampling_params.logprobs = self._top_k
        self.answer = await self._engine.generate(prompt_token_ids, sampling_params, multi_modal_data=multi_modal_data)
        return self.answer


class AgentExecutor(SingleTurnAgentExecutor):
    """Generates one completion, and has it scored. Settings come from the environment, see `settings`."""

    def __init__(self) -> None:
        """Raises pydantic's ValidationError for settings that are missing, RewardError for a URL that is none."""
        super().__init__()
        self._settings = settings = AgentSettings()
        self._client = RewardClient(
            ClientOptions(
                settings.server_url.split(","),
                api_key=settings.api_key.get_secret_value() if settings.api_key else None,
                digest=settings.digest,
                run=settings.run,
                spec=settings.spec,
                patience=settings.patience,
                tls=TlsFiles(settings.tls_ca_file, settings.tls_certificate, settings.tls_key),
            )
        )
        self._action_types = settings.action_types.split(",")
        self._log = RolloutLog(settings.rollouts) if settings.rollouts else None
        self._groups = Groups()
        self._told = 0.0
        self._finder: RationaleFinder | None = None

    async def execute(
        self,
        prompt: str,
        label: Any,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> dict[str, Any]:
        """OpenRLHF's interface.

        Raises RewardError when the rollout cannot be scored, and ValueError when importance sampling takes the logprobs
        that it is to bring: either ends the run.
        """
        by_policy = self._settings.certainty == "rollout"
        if by_policy and sampling_params.logprobs is not None:
            raise ValueError(
                "algo.advantage.is_correction_level has vLLM give one processed logprob per token, so rollouts cannot "
                "bring the policy's top-k logprobs: set it to off, or the certainty of rollouts to server or none"
            )
        with self._groups.place(sampling_params) as place:
            engine = _Listening(llm_engine, self._settings.top_k if by_policy else sampling_params.logprobs)
            output: dict[str, Any] = await super().execute(
                prompt, label, sampling_params, max_length, hf_tokenizer, engine, images
            )
            generated = engine.answer.outputs[0]
            completion = hf_tokenizer.decode(generated.token_ids, skip_special_tokens=False)
            certainty = self._evidence(completion, generated, hf_tokenizer, llm_engine) if by_policy else None
            rollout = self._rollout(place, completion, label, certainty, output)
            began = time.monotonic()
            answer = await self._score(rollout)
            result = answer.results[0]
            check_certainty(result.certainty, is_valid=result.reason is None, settings=self._settings)
            took = time.monotonic() - began
            if self._log is not None:
                self._log.write(rollout, answer)
            reward = as_float32_can_average(result.reward, await place.rewards(result.reward))
        logs = reward_logs(result, self._action_types)
        output.update(
            reward=reward,
            scores=answer.scores[0],
            extra_logs={**logs, "reward_seconds": took},
        )
        return output

    async def _score(self, rollout: Rollout) -> ScoreResponse:
        """The client's answer. A wait is told now and then: to people, and to whoever takes silence for death."""
        began = time.monotonic()
        scoring = asyncio.ensure_future(self._client.score([rollout]))
        try:
            while not (await asyncio.wait({scoring}, timeout=_TELL_SECONDS))[0]:
                now = time.monotonic()
                if now - self._told >= _TELL_SECONDS:
                    self._told = now
                    logger.warning("waiting for the reward server for %.0f s", now - began)
            return scoring.result()
        finally:
            scoring.cancel()

    def _evidence(
        self, completion: str, generated: Any, hf_tokenizer: Any, llm_engine: Any
    ) -> CertaintyEvidence | None:
        if self._finder is None:
            # The model's vocabulary, which is what its logits are over; a tokenizer may have fewer tokens.
            vocabulary = llm_engine.llm.model_config.get_vocab_size()
            self._finder = RationaleFinder(hf_tokenizer.backend_tokenizer, vocabulary)
        return evidence(self._finder, completion, generated.token_ids, generated.logprobs, self._settings.top_k)

    def _rollout(
        self, place: Place, completion: str, label: Any, certainty: CertaintyEvidence | None, output: dict[str, Any]
    ) -> Rollout:
        measured_there = self._settings.certainty == "server"
        start, end = output["action_ranges"][0]
        return Rollout(
            id=f"{place.group}/{place.number}",
            group=place.group,
            completion=completion,
            label=label,
            certainty=certainty,
            prompt_token_ids=output["observation_tokens"][:start] if measured_there else None,
            completion_token_ids=output["observation_tokens"][start:end] if measured_there else None,
        )
