(
    -- The greater of two states of a session wins. A time more than 24 hours after its own arrival counts as none told.
    array_position(ARRAY['SESSION_STARTED', 'INFERENCE_COMPLETE', 'SESSION_FAILED', 'SESSION_COMPLETE', 'SESSION_DELETED'], {state}.type),
    {state}.sequence,
    CASE WHEN {state}.occurred_at > {state}.received_at + interval '24 hours' THEN 'epoch' ELSE {state}.occurred_at END,
    {state}.received_at, {state}.normaliser, {state}.event_id
)
